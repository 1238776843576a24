"""`POST /v1/check-action`, the hot path: a plain ASGI handler, since every layer costs here.

It therefore does by itself what a framework would do: answers other methods with 405, caps the
body while reading it, and renders problems.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.ambient import Ambient
from gateway.api.endpoint import Operation
from gateway.api.exchange import (
    REQUEST_ID,
    Headers,
    Scope,
    Send,
    answer,
    authorization_of,
    refusal,
    request_id_of,
    whole_body,
)
from gateway.api.parts import LastAppend
from gateway.api.places import Places
from gateway.checking.body import ClientDisconnected, Receive, check_headers
from gateway.checking.checker import Checker
from gateway.checking.gate import decode_check
from gateway.checking.limits import LIMITS
from gateway.domain.check import ActionCheck
from gateway.domain.reply import CheckReply
from gateway.errors import Forbidden, MethodNotAllowed
from gateway.storage.ports import Caller
from gateway.telemetry import Metrics

OPERATION: Final = Operation(
    id="checkAction",
    method="POST",
    path="/v1/check-action",
    scope="check",
    summary="May the agent do this?",
    description=(
        "Ask before a tool call runs, and obey `enforced`. There is an answer of 200 whenever "
        "there is a decision, and it was remembered before it was given. Without one, the "
        "caller's fail mode decides."
    ),
    body=ActionCheck,
    reply=CheckReply,
    problems=(
        "bad_name",
        "action_id_conflict",
        "run_environment_mismatch",
        "run_identity_mismatch",
        "run_of_another_agent",
        "journal_unavailable",
        "policy_unavailable",
        "run_contended",
        "decision_not_ready",
    ),
    limits=LIMITS,
)
PATH: Final = OPERATION.path
SCOPE: Final = OPERATION.scope

# A body of this size is through in a few milliseconds, whatever it holds. A larger one can take
# ten in the gate, and as many again until it is framed: others go on in between.
LARGE_BYTES: Final = 16 * 1024

_encoder: Final = msgspec.json.Encoder()


class CheckAction:
    """The ASGI application of this one address. `authenticate` raises for a key that is not valid.

    `judged` bounds how many checks are judged at once, `slow` how many bodies arrive in pieces.
    What comes on top is told to come back rather than kept waiting, so that memory and latency
    stay bounded whatever arrives.
    """

    def __init__(
        self,
        *,
        authenticate: Callable[[str | None], Caller],
        checker: Checker,
        ambient: Ambient,
        metrics: Metrics,
        judged: Places,
        slow: Places,
        last_append: LastAppend,
    ) -> None:
        self._authenticate = authenticate
        self._checker = checker
        self._ambient = ambient
        self._metrics = metrics
        self._judged = judged
        self._slow = slow
        self._last_append = last_append
        self._gate_seconds = metrics.step_seconds.labels("gate")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._ambient.monotonic()
        request_id = request_id_of(scope["headers"], self._ambient)
        status = 200
        try:
            body = await self._reply(scope, receive, started)
            headers: Headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
                (b"cache-control", b"no-store"),
            ]
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001 - the edge: every failure becomes an answer
            self._last_append.note(error, self._ambient.monotonic())
            status, headers, body = refusal(error, request_id, self._metrics)
        headers.append((REQUEST_ID, request_id.encode()))
        await answer(send, status, headers, body)

    async def _reply(self, scope: Scope, receive: Receive, started: float) -> bytes:
        """Cheap refusals come first: nothing is read for a caller that may not ask."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(detail="Checks are POSTed.", extra={"allow": ["POST"]})
        headers = scope["headers"]
        caller = self._authenticate(authorization_of(headers))
        if SCOPE not in caller.scopes:
            raise Forbidden(detail=f"This key lacks the scope {SCOPE!r}.")
        check_headers(headers)
        self._judged.refuse_when_full()
        raw = await whole_body(receive, LIMITS.body_bytes, self._slow)
        check = decode_check(raw)
        self._gate_seconds.observe(self._ambient.monotonic() - started)
        # From here on, so that slow senders take no place from those who have sent.
        with self._judged:
            large = len(raw) > LARGE_BYTES
            reply = await self._checker.check(caller, check, started, large=large)
        self._last_append.failed_at = None
        return _encoder.encode(reply)
