"""What an assessor promises: an answer about evidence, or the word that there is none."""

from __future__ import annotations

from typing import Protocol

from gateway.intent.assessment import Assessment
from gateway.intent.evidence import Evidence


class Assessor(Protocol):
    """One version of the Intent Guard, wherever it runs."""

    @property
    def version(self) -> str: ...

    async def assess(self, evidence: Evidence) -> Assessment | None:
        """The version's own answer, before any project's calibration.

        Never raises for what the evidence or the evaluator does: None when it took too long,
        crashed, or said what makes no sense.
        """
        ...
