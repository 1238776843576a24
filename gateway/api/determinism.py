"""How alike a run would come out again, told from its record."""

from __future__ import annotations

from typing import Final

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.replay.determinism.scoring import FRAMES_MAX, Determinism, Scoring
from gateway.replay.walking import walk


async def _score(parts: Parts, call: Call) -> Answer:
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    if await parts.ledger.run(project_id, run_id) is None:
        raise run_missing(headers)
    scoring = Scoring(run_id)
    async for frame in walk(parts.ledger, parts.keyring.run_secret, project_id, run_id):
        scoring.add(frame)
        if scoring.frames >= FRAMES_MAX:
            break
    return Answer(scoring.result(), headers)


SCORE_DETERMINISM: Final = Endpoint(
    _score,
    Operation(
        id="scoreDeterminism",
        method="GET",
        path="/v1/runs/{run_id}/determinism",
        scope="read",
        summary="How alike a run would come out again",
        description=(
            "A score from 0 to 100 with what was found: clocks, randomness, effects and a world "
            "outside without idempotency, floating point, order. A value is blamed only when "
            "nothing recorded before says it. The answer tells how the score was made and what it "
            "does not cover, and what to write instead."
        ),
        reply=Determinism,
        problems=("run_not_found",),
    ),
)
