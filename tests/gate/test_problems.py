"""Each refusal is a problem (RFC 9457) with a stable code that the reference explains."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import gateway
from gateway import errors
from gateway.api.problems import CODES, render
from gateway.checking.gate import GateCode
from gateway.errors import PROBLEM_BASE, BadRequest, MethodNotAllowed, Problem, Unavailable

SOURCES = sorted(Path(gateway.__file__).parent.rglob("*.py"))


def problem_classes() -> set[str]:
    """Problem and everything in the gateway that is derived from it, by name."""
    names = {Problem.__name__}
    classes = [node for _, node in nodes() if isinstance(node, ast.ClassDef)]
    for _ in classes:
        names |= {node.name for node in classes if names & {_name(base) for base in node.bases}}
    return names


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            yield path, node


def raised_codes() -> dict[str, str]:
    """Each code that the source gives to a problem, and where."""
    problems = problem_classes()
    found: dict[str, str] = {}
    for path, node in nodes():
        if isinstance(node, ast.Call) and _name(node.func) in problems:
            given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "code")]
            for code in given:
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    found[code.value] = f"{path.name}:{node.lineno}"
        if isinstance(node, ast.ClassDef) and node.name in problems:
            for line in node.body:
                if isinstance(line, ast.Assign) and _name(line.targets[0]) == "default_code":
                    found[ast.literal_eval(line.value)] = f"{path.name}:{line.lineno}"
    return found


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_every_code_that_is_raised_is_explained():
    raised = raised_codes()

    assert {code: where for code, where in raised.items() if code not in CODES} == {}
    assert "duplicate_key" in raised
    assert "unauthenticated" in raised
    assert set(get_args(GateCode)) <= CODES.keys()


def test_a_code_is_raised_with_the_status_that_the_table_names():
    for code in get_args(GateCode):
        assert CODES[code].status == (413 if code == "body_too_large" else 400)
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, Problem):
            assert CODES[kind.default_code].status == kind.status


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_explained_in_whole_sentences(code: str):
    doc = CODES[code]

    assert code.replace("_", "").isalnum()
    assert code.islower()
    for text in (doc.title, doc.meaning, doc.what_to_do):
        assert text.endswith(".")


def test_a_problem_is_rendered_as_problem_json():
    problem = BadRequest("wrong_type", "Expected `str`, got `int`.", pointer="/action/tool")

    status, headers, body = render(problem, "req_1")

    assert status == 400
    assert dict(headers)[b"content-type"] == b"application/problem+json"
    assert dict(headers)[b"content-length"] == str(len(body)).encode()
    assert json.loads(body) == {
        "type": PROBLEM_BASE + "wrong_type",
        "title": CODES["wrong_type"].title,
        "status": 400,
        "code": "wrong_type",
        "detail": "Expected `str`, got `int`.",
        "request_id": "req_1",
        "errors": [{"pointer": "/action/tool", "detail": "Expected `str`, got `int`."}],
    }


def test_an_unavailable_journal_says_when_to_come_back_and_what_the_policy_wants():
    problem = Unavailable("journal_unavailable", retry_after=2, extra={"fail_mode": "closed"})

    status, headers, body = render(problem, "req_1")

    assert (status, dict(headers)[b"retry-after"]) == (503, b"2")
    assert json.loads(body)["fail_mode"] == "closed"
    assert json.loads(body)["detail"] == CODES["journal_unavailable"].meaning


def test_headers_that_http_demands_come_with_their_status():
    _, unauthenticated, _ = render(errors.Unauthenticated(), "req_1")
    _, not_allowed, _ = render(MethodNotAllowed(extra={"allow": ["POST", "GET"]}), "req_1")

    assert dict(unauthenticated)[b"www-authenticate"] == b"Bearer"
    assert dict(not_allowed)[b"allow"] == b"POST, GET"
