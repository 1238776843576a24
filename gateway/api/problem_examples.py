"""Which problems an operation can answer with, and how each of them looks."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec
from msgspec import Struct

from gateway import errors
from gateway.api.endpoint import Operation
from gateway.api.problems import CODES, render
from gateway.checking.gate import GateCode
from gateway.errors import Problem

# In order of arrival: headers, key, address, body.
OF_ANY: Final = ("bad_request", "unexpected")
OF_KEYED: Final = (
    "unauthenticated",
    "key_revoked",
    "key_expired",
    "forbidden",
    "overloaded",
    "unavailable",
)
OF_ADDRESS: Final = ("bad_parameter",)
OF_BODY: Final = (
    "bad_header",
    "unsupported_media_type",
    "unsupported_content_encoding",
    *get_args(GateCode),
)
# Not of the gate alone: only where names are looked at.
NOT_OF_EVERY_BODY: Final = frozenset({"bad_name"})

_REQUEST_ID: Final = "req_019aa0c1f7a27d0e8f3b5c6d7e8f9a0b"
_POINTED: Final = {
    "wrong_type": "/action/arguments",
    "missing_field": "/action/tool",
    "unknown_field": "/action/argumnets",
    "value_out_of_range": "/action/side_effects/0",
    "bad_name": "/action/tool",
    "duplicate_key": "/action/arguments/amount",
    "number_out_of_range": "/action/arguments/amount",
    "too_deep": "/action/arguments/a",
    "key_too_long": "/action/arguments",
    "action_id_conflict": "/action/id",
    "run_environment_mismatch": "/run/id",
}
_RETRIED: Final = frozenset(
    {
        "journal_unavailable",
        "policy_unavailable",
        "run_contended",
        "decision_not_ready",
        "overloaded",
        "unavailable",
    }
)


class Place(Struct, frozen=True):
    """A place in the body (RFC 6901), and what is wrong there."""

    pointer: str
    detail: str


class ProblemDocument(Struct, frozen=True):
    """RFC 9457 problem details. `code` is stable; `errors` name places in the body.

    `fail_mode` comes with `journal_unavailable`, `allow` with `method_not_allowed`.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[Place] | msgspec.UnsetType = msgspec.UNSET
    fail_mode: str | msgspec.UnsetType = msgspec.UNSET
    allow: list[str] | msgspec.UnsetType = msgspec.UNSET


def codes_of(operation: Operation) -> list[str]:
    """Every code that the operation can answer with, each once."""
    codes = [*OF_ANY]
    if operation.scope is not None:
        codes += OF_KEYED
    if "{" in operation.path or operation.query is not None:
        codes += OF_ADDRESS
    if operation.body is not None:
        codes += [code for code in OF_BODY if code not in NOT_OF_EVERY_BODY]
    return list(dict.fromkeys([*codes, *operation.problems]))


def example(code: str) -> Any:
    """A problem of this code as it is answered."""
    known = CODES[code]
    kind = _CLASS_OF_STATUS[known.status]
    problem = kind(
        code,
        known.meaning,
        pointer=_POINTED.get(code),
        retry_after=1 if code in _RETRIED else None,
        extra={"fail_mode": "closed"} if code == "journal_unavailable" else None,
    )
    return msgspec.json.decode(render(problem, _REQUEST_ID)[2])


_CLASS_OF_STATUS: Final[dict[int, type[Problem]]] = {
    kind.status: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Problem) and kind is not Problem
}
