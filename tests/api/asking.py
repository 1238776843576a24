"""Requests that many tests make."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2

from tests.api.live import json


def new_name(what: str = "run") -> str:
    """A name that no other test uses."""
    return f"{what}-{uuid4().hex}"


def body(tool: str = "files.read", **more: Any) -> dict[str, Any]:
    """A check of one call; `arguments` and `id` are the action's, all else is the body's."""
    of_action = ("arguments", "id", "attempt", "side_effects", "amount", "call_id", "parent_id")
    action = {name: more.pop(name) for name in of_action if name in more}
    return {"action": {"tool": tool, "arguments": {}, **action}, **more}


def check(client: httpx2.Client, tool: str = "files.read", **more: Any) -> Any:
    """The reply to a check that must get one."""
    response = client.post("/v1/check-action", json=body(tool, **more))
    assert response.status_code == 200, response.text
    return json(response)


def result(client: httpx2.Client, decision_id: str, **report: Any) -> httpx2.Response:
    return client.post(f"/v1/decisions/{decision_id}/result", json=report)


def problem(response: httpx2.Response, status: int, code: str) -> Any:
    """The document of a problem that must be this one, in the dress that all of them have."""
    assert response.headers["content-type"] == "application/problem+json"
    document = json(response)
    assert (response.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["type"].endswith(f"/{code}")
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    return document
