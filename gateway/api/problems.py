"""A problem as an HTTP answer (RFC 9457). One dress for every refusal, whoever raises it."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.api.problem_codes import CODES, ProblemDoc
from gateway.errors import Problem

__all__ = ["CODES", "ProblemDoc", "render"]

_encoder: Final = msgspec.json.Encoder()


def render(problem: Problem, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, ASGI headers and body. `extra["allow"]`, a list of methods, is a header as well."""
    document = problem.body(request_id)
    known = CODES.get(problem.code)
    if known is not None:
        document["title"] = known.title
        document["detail"] = problem.detail or known.meaning
    body = _encoder.encode(document)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if problem.retry_after is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if "allow" in problem.extra:
        headers.append((b"allow", ", ".join(problem.extra["allow"]).encode()))
    return problem.status, headers, body
