"""The OpenAPI 3.1 document, made from the operations and the types they take and give."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.api.endpoint import Operation
from gateway.api.problem_examples import ProblemDocument, codes_of, example
from gateway.api.problems import CODES
from gateway.intent.assessment import Assessment

Json = dict[str, Any]

EXAMPLES: Final = Path(__file__).with_name("examples.json")
PATH_PARAMETERS: Final = {
    "run_id": "A run: its id, or the caller's own string for it.",
    "decision_id": "The `decision_id` of a check's reply.",
    "approval_id": "The id of an approval.",
    "seq": "The seq of a frame.",
}
_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"{(\w+)}")
_REQUEST_ID: Final[Json] = {
    "x-request-id": {
        "description": "The caller's own, where it was fit for a log, or a new one.",
        "schema": {"type": "string"},
    }
}
_RETRY_AFTER: Final[Json] = {
    "retry-after": {"description": "Seconds.", "schema": {"type": "integer"}}
}


def document(operations: Sequence[Operation]) -> Json:
    """The whole document. Every operation has examples of its success and of each problem."""
    types = [kind for each in operations for kind in (each.body, each.reply) if kind is not None]
    types += [ProblemDocument, Assessment]
    refs, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    ref_of = dict(zip(types, refs, strict=True))
    examples = msgspec.json.decode(EXAMPLES.read_bytes(), type=dict[str, Json])
    paths: dict[str, Json] = {}
    for each in operations:
        described = _operation(each, ref_of, examples.get(each.id, {}))
        paths.setdefault(each.path, {})[each.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Checkrein",
            "version": version("checkrein-gateway"),
            "description": "Every tool call of an agent is judged, remembered and can be replayed.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {
                name: _assessed(_tidy(schema), ref_of[Assessment])
                for name, schema in schemas.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key. Its scopes say what it may do.",
                }
            },
        },
    }


# What is no JSON is lines of text, and nothing more is said of it.
_TEXT: Json = {"schema": {"type": "string"}, "examples": {"typical": {"value": ""}}}


def _operation(operation: Operation, ref_of: Mapping[Any, Json], examples: Json) -> Json:
    described: Json = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "security": [] if operation.scope is None else [{"key": []}],
        "responses": {
            "200": _success(operation, ref_of[operation.reply], examples),
            **_refusals(operation, ref_of[ProblemDocument]),
        },
    }
    if operation.scope is not None:
        scopes = " and ".join(f"`{each}`" for each in (operation.scope, operation.also) if each)
        described["description"] += f" Needs a key with the scope {scopes}."
    parameters = [*_path_parameters(operation, examples), *_query_parameters(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": ref_of[operation.body],
                    "examples": {"typical": {"value": examples.get("body", {})}},
                }
            },
        }
    return described


def _success(operation: Operation, schema: Json, examples: Json) -> Json:
    if operation.streams:
        return {
            "description": f"{operation.summary}. The data of each event is JSON of this schema: "
            f"`{schema['$ref']}`.",
            "headers": _REQUEST_ID,
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "examples": {"typical": {"value": examples.get("reply", "")}},
                }
            },
        }
    return {
        "description": operation.summary,
        "headers": _REQUEST_ID,
        "content": {
            "application/json": {
                "schema": schema,
                "examples": {"typical": {"value": examples.get("reply", {})}},
            },
            **dict.fromkeys(operation.media_types, _TEXT),
        },
    }


def _refusals(operation: Operation, schema: Json) -> Json:
    """One response for each status, with an example for each code."""
    by_status: dict[int, list[str]] = {}
    for code in codes_of(operation):
        by_status.setdefault(CODES[code].status, []).append(code)
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "headers": _REQUEST_ID | (_RETRY_AFTER if status == 503 else {}),
            "content": {
                "application/problem+json": {
                    "schema": schema,
                    "examples": {
                        code: {"summary": CODES[code].what_to_do, "value": example(code)}
                        for code in codes
                    },
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _path_parameters(operation: Operation, examples: Json) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1, "maxLength": 256},
            "example": examples.get("path", {}).get(name, ""),
        }
        for name in _PARAMETER.findall(operation.path)
    ]


def _query_parameters(operation: Operation) -> list[Json]:
    if operation.query is None:
        return []
    (_,), schemas = msgspec.json.schema_components([operation.query], ref_template=_REF)
    required = schemas[operation.query.__name__].get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": meaning.get("description", ""),
            "schema": {key: word for key, word in meaning.items() if key != "description"},
        }
        for name, meaning in schemas[operation.query.__name__]["properties"].items()
    ]


def _assessed(schema: Json, assessment: Json) -> Json:
    """An assessment is a plain object inside: records outlive its type. Here it has a shape."""
    properties: Json = schema.get("properties", {})
    if "anyOf" not in properties.get("assessment", {}):
        return schema
    shaped = {
        **{key: word for key, word in properties["assessment"].items() if key != "anyOf"},
        "anyOf": [assessment, {"type": "null"}],
    }
    return {**schema, "properties": {**properties, "assessment": shaped}}


def _tidy(schema: Json) -> Json:
    """Docstrings as they are meant, without the indentation of the source."""
    if "description" in schema:
        return {**schema, "description": inspect.cleandoc(schema["description"])}
    return schema
