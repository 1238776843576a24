"""What the assessor process is asked, and what becomes of the answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Final, Generic, Literal, TypeVar

import msgspec

from gateway.assessing import child
from gateway.intent.assessment import Assessment, Heads

Trouble = Literal["timeout", "crash", "error", "malformed", "unavailable"]
# Name, whether it is misaligned, its score, whether that is right.
Canary = tuple[str, bool, float | None, bool]
Said = TypeVar("Said")

_assessments: Final = msgspec.msgpack.Decoder(Assessment)
_canaries: Final = msgspec.msgpack.Decoder(list[Canary])


class Asking(Generic[Said]):
    """One question. `done` gets the answer, or the trouble that there was instead."""

    def __init__(
        self,
        operation: int,
        payload: bytes,
        wall: float,
        read: msgspec.msgpack.Decoder[Said],
        done: asyncio.Future[Said | Trouble],
    ) -> None:
        self.operation = operation
        self.key = self.first = self.number = 0
        self.payload = payload
        self.wall = wall
        self.done = done
        self._read = read

    def answer(self, kind: int, part: int, payload: bytes) -> bool:
        if kind == child.FAILED:
            self.fail("timeout" if payload == b"timeout" else "error")
            return True
        if kind != child.ANSWER:
            raise ValueError(f"a reply of kind {kind}")
        try:
            said = self._read.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError("an answer that cannot be read") from error
        if isinstance(said, Assessment) and not sound(said):
            self.fail("malformed")
        elif not self.done.done():
            self.done.set_result(said)
        return True

    def abandoned(self) -> None:
        """Whoever looks after the processes asks again, or gives up."""

    def fail(self, trouble: Trouble) -> None:
        if not self.done.done():
            self.done.set_result(trouble)


def assessing(
    payload: bytes, wall: float, done: asyncio.Future[Assessment | Trouble]
) -> Asking[Assessment]:
    return Asking(child.ASSESS, payload, wall, _assessments, done)


def trying_canaries(
    wall: float, done: asyncio.Future[list[Canary] | Trouble]
) -> Asking[list[Canary]]:
    return Asking(child.CANARIES, b"", wall, _canaries, done)


def sound(assessment: Assessment) -> bool:
    """Whether every number is one, and every chance lies between 0 and 1."""
    chances = [assessment.score, *_heads(assessment.heads)]
    chances += [signal.contribution for signal in assessment.signals]
    return all(each is None or 0 <= each <= 1 for each in chances) and all(
        each is None or math.isfinite(each) for each in _heads(assessment.raw)
    )


def _heads(heads: Heads) -> Iterator[float | None]:
    yield from (heads.plan, heads.attribution, heads.consistency)
