"""One question to OPA, and what its reply means."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec
from msgspec import Struct

from gateway.engines.opa.client import NO_JSON, Client, Reply, ReplyTooLarge, Unreachable
from gateway.engines.opa.copies import Copy

# What the reply holds beside the verdicts.
ENVELOPE_BYTES: Final = 4096


class Trouble(Enum):
    """Why a question has no answer."""

    FAILED = "a rule failed"
    REFUSED = "the frame is no JSON that OPA takes"
    LARGE = "the answer is too large"
    MISSING = "the server has not got the ruleset, or not whole"
    AWAY = "nothing that is OPA answered"


class _Said(Struct, frozen=True):
    mark: str
    answers: tuple[msgspec.Raw, ...]


class _Document(Struct, frozen=True):
    result: _Said | None = None


_document = msgspec.json.Decoder(_Document)
_any = msgspec.json.Decoder(msgspec.Raw)


def is_json(frame: bytes) -> bool:
    """Whether a frame is one JSON value in UTF-8, so that it cannot change the question."""
    try:
        frame.decode()
        _any.decode(frame)
    except (UnicodeDecodeError, *NO_JSON):
        return False
    return True


async def ask(
    client: Client, copy: Copy, rules: tuple[str, ...], frame: bytes, reply_bytes: int
) -> bytes | Trouble:
    """The verdicts of each of `rules` as JSON text, in one request.

    A kept connection may have been closed by a server that was restarted; evaluating changes
    nothing, so it is asked a second time.
    """
    body = copy.body(rules, frame)
    for _ in range(2):
        try:
            reply = await client.exchange(
                "POST", copy.said_path, body, most=reply_bytes + ENVELOPE_BYTES
            )
        except ReplyTooLarge:
            return Trouble.LARGE
        except Unreachable:
            continue
        return _meaning(reply, copy, reply_bytes)
    return Trouble.AWAY


def _meaning(reply: Reply, copy: Copy, reply_bytes: int) -> bytes | Trouble:
    if reply.status != 200:
        return _refused(reply)
    try:
        said = _document.decode(reply.body).result
    except NO_JSON:
        return Trouble.AWAY
    if said is None or said.mark != copy.mark:
        return Trouble.MISSING
    if not said.answers:
        return Trouble.FAILED  # the frame has no time
    answer = bytes(said.answers[0])
    return answer if len(answer) <= reply_bytes else Trouble.LARGE


def _refused(reply: Reply) -> Trouble:
    """OPA says 500 when an evaluation fails, 400 when it cannot read the question."""
    refusal = reply.refusal()
    if refusal is None:
        return Trouble.AWAY
    if reply.status == 500 and any(each.code.startswith("eval_") for each in refusal.errors):
        return Trouble.FAILED
    if reply.status == 400 and refusal.code == "invalid_parameter":
        return Trouble.REFUSED
    return Trouble.AWAY
