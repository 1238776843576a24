"""What the Ledger port answers: events, content, runs and approvals of one project."""

from __future__ import annotations

import msgspec
import pytest

from gateway.domain.events import Event
from gateway.storage.ports import Ledger
from gateway.storage.wanted import RunFilter
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, persist, persists

ALL = RunFilter()


def at(minute: int) -> str:
    return f"2026-11-20T12:{minute:02}:00.000000Z"


async def begin(ledger: Ledger, run_id: str, minute: int = 0, **fields) -> None:
    """A run of one event; `environment` and `project_id` say whose it is."""
    owner = {name: fields.pop(name) for name in ("environment", "project_id") if name in fields}
    start = msgspec.structs.replace(events.started(**fields), recorded_at=at(minute))
    await ledger.record([persist(start, 1, run_id, **owner)], {})


async def test_events_come_in_pages(ledger):
    await ledger.record(persists([events.draft() for _ in range(7)]), {})

    seqs = []
    for after in (0, 3, 6, 7):
        page = await ledger.events(PROJECT, "run_1", after, 3)
        seqs.append([msgspec.json.decode(each.record, type=Event).seq for each in page])

    assert seqs == [[1, 2, 3], [4, 5, 6], [7], []]


async def test_the_columns_come_in_the_same_pages(ledger):
    decision = events.decided(enforced="block", action_id="act_7")
    await ledger.record(persists([events.started(), decision]), {})

    columns = (await ledger.indexed(PROJECT, "run_1", 1, 5))[0]

    body = msgspec.json.decode(decision.body)
    assert msgspec.structs.asdict(columns) == {
        "seq": 2,
        "epoch": 0,
        "id": decision.id,
        "type": "decision",
        "recorded_at": events.NOON,
        "action_id": "act_7",
        "decision_id": body["decision_id"],
        "tool": "stripe.refund",
        "enforced": "block",
    }


async def test_a_decision_is_found_by_its_id_among_the_events_that_name_it(ledger):
    decision = events.decided(decision_id="dec_1")
    await ledger.record(persists([decision, events.asked(), events.resulted("dec_1")]), {})

    found = await ledger.event_by_decision(PROJECT, "dec_1")

    assert msgspec.json.decode(found.record, type=Event).id == decision.id
    assert await ledger.event_by_decision(PROJECT, "dec_2") is None


async def test_content_is_answered_by_storage_key_and_absent_when_erased(ledger):
    finished = persist(events.decided(), 1)
    await ledger.record([finished], {})
    blobs = {blob.key: blob.sealed for _, blob in finished.blobs.values()}

    found = await ledger.blobs(PROJECT, "run_1", [*blobs, "0" * 64])

    assert found == blobs


async def test_content_of_many_keys_is_answered_at_once(ledger):
    batch = persists([events.decided({"amount": n}) for n in range(300)])
    await ledger.record(batch, {})
    keys = {blob.key for each in batch for _, blob in each.blobs.values()}

    assert (await ledger.blobs(PROJECT, "run_1", sorted(keys))).keys() == keys


async def test_content_of_some_runs_is_answered_at_once(ledger):
    recorded: dict[str, dict[str, bytes]] = {}
    for run_id in ("run_1", "run_2"):
        finished = persist(events.decided({"amount": len(recorded)}), 1, run_id=run_id)
        await ledger.record([finished], {})
        recorded[run_id] = {blob.key: blob.sealed for _, blob in finished.blobs.values()}
    wanted = {run_id: [*blobs, "0" * 64] for run_id, blobs in recorded.items()}

    found = await ledger.blobs_of_runs(PROJECT, {**wanted, "run_9": ["0" * 64]})
    crossed = await ledger.blobs_of_runs(
        PROJECT, {"run_1": recorded["run_2"].keys() - recorded["run_1"].keys()}
    )

    assert {run_id: blobs for run_id, blobs in found.items() if blobs} == recorded
    assert not crossed.get("run_1")
    assert not any((await ledger.blobs_of_runs("prj_2", wanted)).values())


async def test_a_run_is_known_by_what_its_first_event_says(ledger):
    await begin(ledger, "run_1", name="refunds", agent_id="agt", user_id="u", external_id="x")

    run = await ledger.run(PROJECT, "run_1")

    assert run == {
        "project_id": PROJECT,
        "run_id": "run_1",
        "environment": "production",
        "started_at": at(0),
        "last_at": at(0),
        "name": "refunds",
        "agent_id": "agt",
        "user_id": "u",
        "parent_run_id": None,
        "external_id": "x",
        "status": "running",
        "ended_at": None,
        "events": 1,
        "actions": 0,
        "blocked": 0,
        "warned": 0,
        "approvals": 0,
        "errors": 0,
        "halted": False,
        "spend": {},
    }
    assert await ledger.run(PROJECT, "run_2") is None


@pytest.mark.parametrize("name", ["", "a\x00b", "\x01\x03\x00\x02", "\u202e\U0001f600'\"\\"])
async def test_what_a_run_calls_itself_may_be_any_text(ledger, name):
    await begin(ledger, "run_1", name=name, user_id=name, agent_id=name)
    await ledger.record([persist(events.draft(), 2)], {})

    (row,) = await ledger.runs(PROJECT, RunFilter(agent_id=name), None, 10)

    assert (row["name"], row["user_id"], row["agent_id"]) == (name, name, name)
    assert await ledger.run(PROJECT, "run_1") == row


async def test_runs_are_listed_newest_first_page_by_page(ledger):
    """Runs that began in the same instant are neither repeated nor left out."""
    for n in range(7):
        await begin(ledger, f"run_{n}", minute=n // 3)

    seen: list[str] = []
    before = None
    while page := await ledger.runs(PROJECT, ALL, before, 2):
        seen += [row["run_id"] for row in page]
        before = (page[-1]["started_at"], page[-1]["run_id"])

    assert seen == [f"run_{n}" for n in (6, 5, 4, 3, 2, 1, 0)]


async def test_runs_are_filtered(ledger):
    await begin(ledger, "run_a", 1, agent_id="one")
    await begin(ledger, "run_b", 2, agent_id="two", environment="staging")
    await begin(ledger, "run_c", 3, agent_id="two")
    await ledger.record([persist(events.observed("run_ended", status="failed"), 2, "run_c")], {})

    async def listed(**wanted) -> list[str]:
        rows = await ledger.runs(PROJECT, RunFilter(**wanted), None, 10)
        return [row["run_id"] for row in rows]

    assert await listed(agent_id="two") == ["run_c", "run_b"]
    assert await listed(environment="staging") == ["run_b"]
    assert await listed(status="running") == ["run_b", "run_a"]
    assert await listed(status="failed", agent_id="two") == ["run_c"]
    assert await listed(started_after=at(1), started_before=at(3)) == ["run_b"]
    assert await listed(agent_id="' OR 1=1 --") == []


async def test_approvals_are_listed_newest_first_and_close_when_nobody_answered(ledger):
    asked = [events.asked(f"apr_{n}", recorded_at=at(n)) for n in range(4)]
    await ledger.record(persists([events.started(), *asked, events.expired("apr_1")]), {})

    async def listed(status=None, before=None) -> list[str]:
        rows = await ledger.approvals(PROJECT, status, before, 2)
        return [row["approval_id"] for row in rows]

    assert await listed() == ["apr_3", "apr_2"]
    assert await listed(before=(at(2), "apr_2")) == ["apr_1", "apr_0"]
    assert await listed("pending", (at(2), "apr_2")) == ["apr_0"]
    assert await listed("expired") == ["apr_1"]


async def test_an_approval_says_what_was_asked(ledger):
    await ledger.record(persists([events.asked("apr_1", rules=["b", "c"])]), {})

    assert await ledger.approval(PROJECT, "apr_1") == {
        "project_id": PROJECT,
        "approval_id": "apr_1",
        "run_id": "run_1",
        "environment": "production",
        "action_id": "act_1",
        "decision_id": "dec_1",
        "tool": "stripe.refund",
        "arguments_digest": "b" * 64,
        "policy_digest": "d" * 64,
        "rules": ["b", "c"],
        "requested_at": events.NOON,
        "expires_at": "2026-11-20T12:01:00.000000Z",
        "status": "pending",
    }
    assert await ledger.approval(PROJECT, "apr_2") is None


async def test_nothing_of_one_project_is_seen_from_another(ledger):
    """S1 (reliability): the same ids in two projects are two things."""
    mine = [events.started(), events.decided(decision_id="dec_1"), events.asked("apr_1")]
    await ledger.record(persists(mine), {(PROJECT, "run_1"): WRAPPED})
    await begin(ledger, "run_1", project_id="prj_2", name="other")
    keys = [
        key for each in await ledger.events(PROJECT, "run_1") for key in each.blob_keys.values()
    ]

    assert await ledger.event_by_decision("prj_2", "dec_1") is None
    assert await ledger.approval("prj_2", "apr_1") is None
    assert await ledger.approvals("prj_2", None, None, 10) == []
    assert await ledger.secret("prj_2", "run_1") is None
    assert await ledger.blobs("prj_2", "run_1", keys) == {}
    assert (await ledger.run("prj_2", "run_1"))["name"] == "other"
    assert len(await ledger.events("prj_2", "run_1")) == 1
    assert len(await ledger.runs("prj_2", ALL, None, 10)) == 1
    assert await ledger.all_runs() == [(PROJECT, "run_1"), ("prj_2", "run_1")]
