"""An assessor without a process of its own, for replay: nobody waits, and nothing is new."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from gateway.intent.assessment import Assessment
from gateway.intent.clipping import clipped
from gateway.intent.evidence import Evidence

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Assessment)


class Evaluator(Protocol):
    """One loaded version."""

    @property
    def version(self) -> str: ...

    def assess(self, evidence: Evidence) -> Assessment: ...


class InlineAssessor:
    """Says what a child process with the same version says, and lets an evaluator's error out."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    @property
    def version(self) -> str:
        return self._evaluator.version

    async def assess(self, evidence: Evidence) -> Assessment | None:
        return _decoder.decode(_encoder.encode(clipped(self._evaluator.assess(evidence))))
