"""Many decisions judged again: each says how it stands, and why where it cannot be proven."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.domain import decision as decisions
from gateway.domain import frame as frames
from gateway.domain.events import RuleWord
from gateway.domain.rule_results import EngineInfo
from gateway.domain.ruleset import Ruleset
from gateway.errors import NotFound
from gateway.judging.judgement import judge_frame
from gateway.replay.openings import Openings
from gateway.replay.proving import Proving
from gateway.replay.rejudging import Rejudging
from gateway.storage.embedded.ledger import open_ledger
from gateway.storage.ports import KeyRecord
from gateway.telemetry import Metrics
from tests import make
from tests.ledger import events
from tests.ledger.events import PROJECT, SECRET, WRAPPED, open_secret, persists
from tests.replay.test_rejudge import RULES, SayingEngine, Says, blocks_above

DAY = "2026-11-{:02d}T12:00:00.000000Z"
AS_RECORDED = blocks_above(100)
MASKED = "[email:3f9a2c41d0@example.com]"


class Keys:
    """The API keys of an installation."""

    def __init__(self, *keys: tuple[str, str]) -> None:
        self._keys = keys

    async def keys(self) -> list[KeyRecord]:
        return [
            KeyRecord(f"key_{n}", project, environment, "", b"", (), "")
            for n, (project, environment) in enumerate(self._keys)
        ]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Any]:
    ledger = await open_ledger(tmp_path / "ledger.db")
    yield ledger
    await ledger.close()


async def record(ledger: Any, run_id: str, *, days: tuple[int, ...], **arguments: Any) -> None:
    """Decisions of a run as a gateway made them under `RULES`, one on each day of November."""
    drafts = []
    for number, day in enumerate(days):
        checked = make.check(arguments={"amount": 450 + number, **arguments})
        frame = make.frame(RULES, checked)
        judged = await judge_frame(SayingEngine(blocks_above(100)), RULES, frame)
        drafts.append(
            events.decided(
                decision_id=f"dec_{run_id}_{day}",
                verdict=judged.decision.verdict,
                enforced=judged.decision.enforced,
                rules=[RuleWord(r.rule, r.effect, r.enforced) for r in judged.decision.reasons],
                policy_digest=RULES.digest,
                engine=SayingEngine.info,
                recorded_at=DAY.format(day),
                frame=frames.encode(frame),
                rounds=msgspec.json.Encoder(order="sorted").encode(judged.rounds),
                decision=decisions.encode(judged.decision),
            )
        )
    stored = [*persists([events.started(), *drafts], run_id=run_id)]
    await ledger.record(stored, {(PROJECT, run_id): WRAPPED})


def rejudging(ledger: Any, says: Says = AS_RECORDED, **more: Any) -> Any:
    async def find(digest: str) -> Ruleset:
        if digest != RULES.digest:
            raise NotFound("policy_not_found", "There is no policy version of that digest.")
        return RULES

    engine = SayingEngine(says)
    engine.info = more.pop("info", engine.info)
    return Rejudging(ledger, open_secret, engine, find, **more)


def spoil(tmp_path: Path, statement: str) -> None:
    connection = sqlite3.connect(tmp_path / "ledger.db")
    with connection:
        connection.execute(statement)
    connection.close()


async def test_a_run_comes_out_the_same_page_by_page(ledger):
    """R1, N1: every decision of the run, each once, in order."""
    await record(ledger, "run_1", days=(1, 2, 3, 4, 5))
    judging = rejudging(ledger)
    found: list[Any] = []
    after: int | None = 0

    while after is not None:
        page = await judging.of_run(PROJECT, "run_1", after, 2)
        found += page.judged
        after = page.after

    assert [each.seq for each in found] == [2, 3, 4, 5, 6]
    assert {each.standing for each in found} == {"exact"}
    assert {each.now == each.recorded for each in found} == {True}


async def test_a_time_range_is_judged_newest_first_over_runs(ledger):
    await record(ledger, "run_1", days=(1, 3, 5))
    await record(ledger, "run_2", days=(2, 4, 6))
    judging = rejudging(ledger)
    found, cursor, more = [], None, True

    while more:
        page = await judging.of_range(
            PROJECT, "production", DAY.format(2), DAY.format(6), cursor, 2
        )
        found += [(each.run_id, each.recorded_at) for each in page.judged]
        cursor, more = page.cursor, page.cursor is not None

    assert found == [
        (run_id, DAY.format(day))
        for run_id, day in (("run_1", 5), ("run_2", 4), ("run_1", 3), ("run_2", 2))
    ]


async def walked(judging: Any, openings: Openings, spoilt: Callable[[], object]) -> list[Any]:
    """Two decisions a page; between the first page and the second something happens."""
    page = await judging.of_range(PROJECT, "production", limit=2, openings=openings)
    found = [*page.judged]
    spoilt()
    while page.cursor is not None:
        page = await judging.of_range(
            PROJECT, "production", before=page.cursor, limit=2, openings=openings
        )
        found += page.judged
    return found


@pytest.mark.parametrize(("runs", "size"), [(1024, 1 << 20), (1, 1 << 20), (1024, 0)])
async def test_a_walk_says_the_same_however_little_it_remembers(ledger, runs, size):
    for number in (1, 2, 3):
        await record(ledger, f"run_{number}", days=(number, number + 3, number + 6))

    found = await walked(rejudging(ledger), Openings(runs, size), lambda: None)

    whole = await rejudging(ledger).of_range(PROJECT, "production")
    assert found == whole.judged
    assert {each.standing for each in found} == {"exact"}


async def test_a_run_that_is_erased_during_a_walk_is_erased_from_then_on(ledger, tmp_path):
    """N9: what a walk remembers of a run is gone with the run's secret."""
    await record(ledger, "run_1", days=(1, 2, 3, 4))
    openings = Openings()

    found = await walked(
        rejudging(ledger), openings, lambda: spoil(tmp_path, "DELETE FROM run_secret")
    )

    assert [each.reason for each in found] == [None, None, "erased", "erased"]
    assert openings.size == 0


async def test_a_walk_keeps_runs_of_equal_ids_in_two_projects_apart(ledger):
    await record(ledger, "run_1", days=(1,))
    openings, judging = Openings(), rejudging(ledger)

    (mine,) = (await judging.of_run(PROJECT, "run_1", openings=openings)).judged
    theirs = (await judging.of_run("prj_2", "run_1", openings=openings)).judged

    assert mine.standing == "exact"
    assert theirs == []
    other = openings.of(("prj_2", "run_1"), b"2" * 32)
    assert other is not openings.of((PROJECT, "run_1"), SECRET)
    assert other.size == 0


async def test_another_answer_diverges_at_its_pointer(ledger):
    """R3."""
    await record(ledger, "run_1", days=(1,))

    (found,) = (await rejudging(ledger, blocks_above(1000)).of_run(PROJECT, "run_1")).judged

    assert (found.standing, found.pointer) == ("diverges", "/enforced")
    assert (found.recorded.enforced, found.now.enforced) == ("block", "allow")


async def test_another_engine_that_says_otherwise_is_no_divergence(ledger):
    """R3: engine differs."""
    await record(ledger, "run_1", days=(1,))
    other = EngineInfo("other", "2", "d")

    (same,) = (await rejudging(ledger, info=other).of_run(PROJECT, "run_1")).judged
    judging = rejudging(ledger, blocks_above(1000), info=other)
    (differs,) = (await judging.of_run(PROJECT, "run_1")).judged

    assert (same.standing, same.engine) == ("exact", other)
    assert (differs.standing, differs.reason) == ("not-replayable", "engine")
    assert "saying 1" in differs.detail
    assert "other 2" in differs.detail


async def test_masked_values_are_said(ledger):
    """R4: the same masks were judged, and nobody knows the same values were."""
    await record(ledger, "run_1", days=(1,), to=MASKED)

    (found,) = (await rejudging(ledger).of_run(PROJECT, "run_1")).judged

    assert (found.standing, found.reason) == ("redacted-equivalent", "masked")


async def test_masks_do_not_hide_a_divergence(ledger):
    await record(ledger, "run_1", days=(1,), to=MASKED)

    (found,) = (await rejudging(ledger, blocks_above(1000)).of_run(PROJECT, "run_1")).judged

    assert found.standing == "diverges"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM run_secret WHERE run_id = 'run_1'", "erased"),
        ("DELETE FROM blob WHERE run_id = 'run_1'", "erased"),
        ("UPDATE blob SET sealed = zeroblob(64) WHERE run_id = 'run_1'", "broken"),
    ],
)
async def test_what_is_gone_is_named_and_the_others_count(ledger, tmp_path, statement, reason):
    """R4, N9."""
    await record(ledger, "run_1", days=(1,))
    await record(ledger, "run_2", days=(2,))
    spoil(tmp_path, statement)

    page = await rejudging(ledger).of_range(PROJECT, "production")

    assert [(each.run_id, each.standing, each.reason) for each in page.judged] == [
        ("run_2", "exact", None),
        ("run_1", "not-replayable", reason),
    ]


async def test_a_frame_that_cannot_be_read_is_the_reason(ledger):
    """A record may be of another release, or made by somebody else."""
    odd = events.decided(decision_id="dec_odd", frame=b'{"action":{}}')
    await ledger.record(persists([events.started(), odd]), {(PROJECT, "run_1"): WRAPPED})

    (found,) = (await rejudging(ledger).of_run(PROJECT, "run_1")).judged

    assert (found.standing, found.reason) == ("not-replayable", "incomplete")


async def test_a_policy_version_that_is_not_kept_is_the_reason(ledger):
    await record(ledger, "run_1", days=(1,))

    async def find(digest: str) -> Ruleset:
        raise NotFound("policy_not_found", "There is no policy version of that digest.")

    judging: Any = Rejudging(ledger, open_secret, SayingEngine(blocks_above(100)), find)
    (found,) = (await judging.of_run(PROJECT, "run_1")).judged

    assert (found.standing, found.reason) == ("not-replayable", "policy")
    assert RULES.digest[:12] in found.detail


async def test_under_another_policy_it_counts_what_would_change(ledger):
    await record(ledger, "run_1", days=(1,))
    other = msgspec.structs.replace(RULES, digest="e" * 64)

    (same,) = (await rejudging(ledger).of_run(PROJECT, "run_1", under=other)).judged
    judging = rejudging(ledger, blocks_above(1000))
    (changed,) = (await judging.of_run(PROJECT, "run_1", under=other)).judged

    assert (same.standing, same.pointer) == ("same", None)
    assert same.now.policy_digest == "e" * 64
    assert (changed.standing, changed.pointer) == ("changed", "/enforced")


async def test_one_decision_is_found_by_its_id_in_its_project_alone(ledger):
    await record(ledger, "run_1", days=(1,))
    judging = rejudging(ledger)

    assert (await judging.decision(PROJECT, "dec_run_1_1")).standing == "exact"
    assert await judging.decision("prj_2", "dec_run_1_1") is None
    assert (await judging.of_run("prj_2", "run_1")).judged == []
    assert (await judging.of_range("prj_2", "production")).judged == []


async def test_the_sampler_goes_round_the_whole_record_and_publishes_the_share(ledger):
    """N1: the exact share is a metric, and what diverges is counted."""
    await record(ledger, "run_1", days=tuple(range(1, 14)))
    await record(ledger, "run_2", days=(20,), amount=50)

    metrics = Metrics()
    where = (PROJECT, "production")
    # Some are judged otherwise than they were.
    proving = Proving(rejudging(ledger, blocks_above(455), at_once=1), Keys(where, where), metrics)
    judged = [await proving.step() for _ in range(4)]

    # The four newest each time, and four of those behind them until there are no more.
    assert judged == [8, 8, 6, 8]
    sample: Any = metrics.registry.get_sample_value
    diverged = sample("checkrein_decisions_rejudged_total", {"standing": "diverges"})
    exact = sample("checkrein_decisions_rejudged_total", {"standing": "exact"})
    assert diverged + exact == sum(judged)
    assert exact > 0
    assert diverged > 0
    assert sample("checkrein_rejudged_exact_share") == exact / (exact + diverged)


async def test_the_sampler_has_nothing_to_say_of_nothing(ledger):
    metrics = Metrics()
    proving = Proving(rejudging(ledger), Keys(), metrics)

    assert await proving.step() == 0
    share = metrics.registry.get_sample_value("checkrein_rejudged_exact_share")
    assert share != share
