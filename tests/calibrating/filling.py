"""A live gateway's history, appended as a gateway does."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from gateway.domain.run_state import StateChange, change_of_decision
from gateway.storage.ports import Append, Appended
from tests.api.asking import new_name
from tests.api.live import KEYS, Live, json
from tests.calibrating.recorded import assessed, body_of


def fill(live: Live, key: str, scores: Sequence[float]) -> list[str]:
    """Decisions with these scores in one run of a key's project, appended as a gateway does."""
    with live.client(key) as client:
        run_id = json(client.post("/v1/runs", json={"id": new_name()}))["run_id"]
    project = live.run(live.gateway.parts.control.project(KEYS[key][0]))
    ids = [f"dec_{uuid4().hex}" for _ in scores]
    drafts = [
        assessed(
            name,
            score,
            action_id=name,
            at=f"2026-11-21T12:00:00.{n:06}Z",
            enforced="block" if score > 0.75 else "allow",
        )
        for n, (name, score) in enumerate(zip(ids, scores, strict=True))
    ]
    changes: list[StateChange] = [change_of_decision(body_of(draft), draft.id) for draft in drafts]
    append = Append(project, "production", run_id, tuple(drafts), tuple(changes))
    assert isinstance(live.run(live.gateway.parts.journal.append(append)), Appended)
    return ids
