"""The history that calibration reads is the same on every ledger, and one project's alone."""

from __future__ import annotations

from typing import Any

from gateway.calibrating import history
from gateway.calibrating.current import Current
from gateway.calibrating.history import History
from gateway.calibrating.platt import Platt
from gateway.domain.events import Draft
from gateway.storage.ports import Ledger
from tests.calibrating.recorded import assessed, said
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists

SHIFTED = Platt(1.0, 1.0)


async def record(ledger: Ledger, drafts: list[Draft], run_id: str = "run_1", **owner: Any) -> None:
    project_id = owner.get("project_id", PROJECT)
    batch = [
        events.persist(draft, n, run_id, **owner)
        for n, draft in enumerate([events.started(), *drafts], 1)
    ]
    await ledger.record(batch, {(project_id, run_id): WRAPPED})


async def read(ledger: Ledger, project_id: str = PROJECT, **asked: Any) -> History:
    async def said_by(digest: str) -> Current:
        return Current(calibration=SHIFTED) if digest == "f" * 64 else Current()

    environment = asked.pop("environment", "production")
    given: dict[str, Any] = {"limit": 100, "known": lambda tool: tool != "new.tool"} | asked
    return await history.read(
        ledger, open_secret, project_id, environment, now=Current(), said_by=said_by, **given
    )


def at(second: int) -> str:
    return f"2026-11-20T12:00:{second:02}.000000Z"


async def test_scores_and_labels_are_read_newest_first(ledger):
    await record(
        ledger,
        [
            assessed("dec_1", 0.25, at=at(1), enforced="block"),
            assessed("dec_2", 0.75, at=at(2), tool="new.tool", side_effects=["exec"]),
            said("dec_1", "fine", "key_1", comment="It was asked for.", by="Ann"),
        ],
    )

    found = await read(ledger)

    second, first = found.points
    assert (first.decision_id, first.base, first.stopped, first.known) == (
        "dec_1",
        0.25,
        True,
        True,
    )
    assert (second.decision_id, second.side_effects, second.known) == ("dec_2", ("exec",), False)
    assert first.raw == {"attribution": -1.25, "consistency": -2.5}
    (vote,) = first.votes
    assert (vote.labeller, vote.label, vote.by, vote.comment) == (
        "key_1",
        "fine",
        "Ann",
        "It was asked for.",
    )


async def test_of_a_labellers_labels_the_latest_counts(ledger):
    labels = [said("dec_1", "fine", "key_1"), said("dec_1", "missed", "key_1")]
    await record(ledger, [assessed("dec_1", 0.5), *labels, said("dec_1", "fine", "key_2")])

    (point,) = (await read(ledger)).points

    assert [(vote.labeller, vote.label) for vote in point.votes] == [
        ("key_1", "missed"),
        ("key_2", "fine"),
    ]


def reported(decision_id: str, label: str, **evidence: str) -> Draft:
    """What an SDK reports; the gateway adds the key, unless it is an agent's own."""
    return events.observed("feedback", {"label": label}, decision_id=decision_id, **evidence)


async def test_what_an_sdk_reports_counts_as_its_keys_word(ledger):
    labels = [
        said("dec_1", "missed", "key_1"),
        reported("dec_1", "fine", labeller="key_1"),
        reported("dec_1", "wrong", labeller="key_2"),
    ]
    await record(ledger, [assessed("dec_1", 0.5), *labels])

    (vote,) = (await read(ledger)).points[0].votes

    assert (vote.labeller, vote.label) == ("key_1", "fine")


async def test_what_an_agents_own_key_reports_teaches_nothing(ledger):
    """Not even where it was written to look like a person's."""
    labels = [reported("dec_1", "fine"), said("dec_1", "fine", "key_1", actor="agent")]
    await record(ledger, [assessed("dec_1", 0.5), *labels])

    assert (await read(ledger)).points[0].votes == ()


async def test_a_label_counts_in_its_decisions_own_run(ledger):
    """So nobody labels from a run of another environment, say."""
    await record(ledger, [assessed("dec_1", 0.5)])
    await record(ledger, [assessed("dec_2", 0.5), reported("dec_1", "fine", labeller="k")], "run_2")

    assert [point.votes for point in (await read(ledger)).points] == [(), ()]


async def test_nothing_crosses_projects_or_environments(ledger):
    """S1: the same ids in another project and in another environment are not seen."""
    await record(ledger, [assessed("dec_1", 0.5)])
    theirs = [assessed("dec_2", 0.9), said("dec_1", "missed", "key_9")]
    await record(ledger, theirs, project_id="prj_2")
    await record(ledger, [assessed("dec_3", 0.9)], "run_3", environment="staging")

    found = await read(ledger)

    assert [(point.decision_id, point.votes) for point in found.points] == [("dec_1", ())]
    assert [p.decision_id for p in (await read(ledger, "prj_2")).points] == ["dec_2"]
    assert [p.decision_id for p in (await read(ledger, environment="staging")).points] == ["dec_3"]


async def test_what_cannot_be_compared_is_left_out_and_counted(ledger):
    await record(
        ledger,
        [
            assessed("dec_1", 0.5, at=at(1), of={"version": "older"}),
            assessed("dec_2", None, at=at(2)),
            assessed("dec_3", 0.5, at=at(3), assess=False),
            assessed("dec_4", 0.4, at=at(4)),
            assessed("dec_5", 0.4, at=at(5), prior="in_doubt"),
        ],
    )

    found = await read(ledger)

    assert [point.decision_id for point in found.points] == ["dec_4"]
    assert (found.decisions, found.unscored, found.other_versions) == (4, 2, 1)


async def test_the_calibration_of_the_time_is_taken_back(ledger):
    """A score of a calibrated version and one of a plain version mean the same afterwards."""
    await record(
        ledger,
        [
            assessed("dec_1", 0.3, at=at(1)),
            assessed("dec_2", SHIFTED.apply(0.3), at=at(2), policy_digest="f" * 64),
        ],
    )

    bases = [point.base for point in (await read(ledger)).points]

    assert abs(bases[0] - bases[1]) <= 2e-6


async def test_no_more_is_read_than_asked_for_and_the_newest_runs_first(ledger):
    for n in range(12):
        started = events.draft("run_started", {}, recorded_at=at(n))
        batch = persists([started, assessed(f"dec_{n}", 0.5, at=at(n))], run_id=f"run_{n}")
        await ledger.record(batch, {(PROJECT, f"run_{n}"): WRAPPED})

    found = await read(ledger, limit=3)

    assert [point.decision_id for point in found.points] == ["dec_11", "dec_10", "dec_9"]


async def test_an_erased_run_has_no_scores_any_more(ledger):
    await ledger.record(persists([events.started(), assessed("dec_1", 0.5)]), {})

    found = await read(ledger)

    assert (found.points, found.erased) == ((), 1)
