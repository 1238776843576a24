"""What an OPA server holds, looked at without the engine's code."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.servers.opa import OpaServer


def call(server: OpaServer, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """Status and decoded body of a request below /v1/."""
    request = urllib.request.Request(f"{server.url}/v1/{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            text = reply.read()
            return reply.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def policies(server: OpaServer) -> list[str]:
    """The ids of all modules."""
    _, found = call(server, "GET", "policies")
    return sorted(policy["id"] for policy in found.get("result", []))


def keys(server: OpaServer) -> set[str]:
    """The rulesets that have modules."""
    return {policy.split("/")[1] for policy in policies(server)}


def data_keys(server: OpaServer) -> set[str]:
    """The rulesets that have data of their own, or an entry that answers."""
    _, found = call(server, "GET", "data/checkrein")
    return {
        key for key, value in (found.get("result") or {}).items() if value not in ({}, {"p": {}})
    }
