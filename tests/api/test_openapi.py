"""The OpenAPI document: complete, valid, and full of examples that are true."""

from __future__ import annotations

from typing import Any

import httpx2
import jsonschema
import msgspec
import pytest
from litestar.routes import HTTPRoute

from gateway.api.app import Routed
from gateway.api.endpoints import ENDPOINTS, OPERATIONS
from gateway.api.openapi import EXAMPLES, document
from gateway.api.places import Places
from gateway.api.problems import CODES
from tests.api.capture import capture
from tests.api.live import Live, json

DOCUMENT = document(OPERATIONS)
METHODS = ("get", "post", "put", "patch", "delete")


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, item[method])
        for path, item in DOCUMENT["paths"].items()
        for method in METHODS
        if method in item
    ]


def _contents() -> list[Any]:
    """Every request and answer with its schema and examples."""
    found = []
    for path, method, operation in _operations():
        for status, answer in operation["responses"].items():
            for kind, content in answer["content"].items():
                found.append(pytest.param(content, id=f"{method} {path} {status} {kind}"))
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            found.append(pytest.param(content, id=f"{method} {path} request"))
    return found


def test_the_document_is_served_to_anyone(live: Live) -> None:
    with live.client(None) as client:
        assert json(client.get("/v1/openapi.json")) == msgspec.json.decode(
            msgspec.json.encode(DOCUMENT)
        )


def test_every_route_is_described_and_nothing_else(live: Live) -> None:
    """API9: there is no address that the document does not know."""
    routed = Routed(live.gateway.parts, ENDPOINTS, Places(1, "x"))
    served = {
        (route.path_format, method.lower())
        for route in routed.litestar.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods - {"OPTIONS"}
    }

    described = {(path, method) for path, method, _ in _operations()}

    assert served | {("/v1/check-action", "post"), ("/v1/live", "get")} == described


def test_every_operation_has_a_name_a_summary_and_a_description() -> None:
    names = [operation["operationId"] for _, _, operation in _operations()]

    assert len(set(names)) == len(names)
    for _, _, operation in _operations():
        assert len(operation["summary"]) > 5
        assert len(operation["description"]) > 20


@pytest.mark.parametrize("content", _contents())
def test_every_example_is_true_to_its_schema(content: dict[str, Any]) -> None:
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    validator = jsonschema.Draft202012Validator(schema)

    assert content["examples"]
    for name, example in content["examples"].items():
        assert example["value"] not in ({}, None), f"{name} is empty"
        validator.validate(example["value"])


def test_the_examples_are_as_a_gateway_answers_today() -> None:
    """They are captured, not written; `python -m tests.api.capture` takes them anew."""
    stored = msgspec.json.decode(EXAMPLES.read_bytes())

    assert _shape(stored) == _shape(capture())


def test_an_assessment_has_a_shape_wherever_it_is_given() -> None:
    """And the example of a check holds one."""
    schemas = DOCUMENT["components"]["schemas"]
    given = [each for each in schemas.values() if "assessment" in each.get("properties", {})]
    reply = msgspec.json.decode(EXAMPLES.read_bytes())["checkAction"]["reply"]

    assert len(given) >= 2
    for schema in given:
        assert schema["properties"]["assessment"]["anyOf"][0]["$ref"].endswith("/Assessment")
    assert set(reply["assessment"]) == set(schemas["Assessment"]["properties"])
    broken = {**reply, "assessment": {**reply["assessment"], "score": "high"}}
    validator = jsonschema.Draft202012Validator(
        {**schemas["CheckReply"], "components": DOCUMENT["components"]}
    )
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def test_every_reference_leads_somewhere() -> None:
    for reference in _references(DOCUMENT):
        target: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_problem_that_is_answered_is_documented(live: Live) -> None:
    """What was answered while all these tests ran is in the document, under its status."""
    documented = {
        code
        for _, _, operation in _operations()
        for answer in operation["responses"].values()
        for content in answer["content"].values()
        for code in content["examples"]
    }
    # These belong to addresses that are none, and to methods that an address does not have.
    of_no_operation = {"not_found", "method_not_allowed"}

    exposed = httpx2.get(live.metrics_url + "/metrics").text
    answered = {code for code in CODES if f'checkrein_problems_total{{code="{code}"}}' in exposed}

    assert answered <= documented | of_no_operation


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(_references(each) for each in value))
    return set()


def _shape(value: Any) -> Any:
    """The names and kinds of what a value holds: not how much, nor which."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value[:1]]
    return "value"
