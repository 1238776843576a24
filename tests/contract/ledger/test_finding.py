"""What runs are found by: what their events said, what they cost, what they made."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.audit.verify import verify
from gateway.domain.events import Draft
from gateway.domain.facts import COST_MAX, FiledOfRun, Standing
from gateway.storage.wanted import ArtifactFilter, RunFilter
from tests.contract.ledger.test_asking import at
from tests.ledger import events
from tests.ledger.events import PROJECT, persist, persists

ANY = ArtifactFilter()


async def run(ledger: Any, run_id: str, *drafts: Draft, minute: int = 0, **who: Any) -> None:
    start = msgspec.structs.replace(events.started(**who), recorded_at=at(minute))
    await ledger.record(persists([start, *drafts], run_id=run_id), {})


async def listed(ledger: Any, **wanted: Any) -> list[str]:
    rows = await ledger.runs(PROJECT, RunFilter(**wanted), None, 50)
    return [row["run_id"] for row in rows]


def asked(model: str | None = None, cost: int | None = None, **more: Any) -> Draft:
    money = None if cost is None else {"value": cost, "currency": more.pop("currency", "usd")}
    evidence = {"id": model, "cost": money, **more}
    given = {name: value for name, value in evidence.items() if value is not None}
    return events.observed("model_call", **given)


def made(path: str, **evidence: Any) -> Draft:
    return events.observed("artifact", {"name": "n"}, path=path, **evidence)


async def test_runs_are_found_by_what_their_calls_did(ledger):
    """S4-10: runs that wrote; what was stopped did nothing."""
    await run(ledger, "run_1", events.decided(side_effects=["write", "network"]))
    await run(ledger, "run_2", events.decided(side_effects=["write"], enforced="block"), minute=1)
    await run(ledger, "run_3", made("a.txt", access="written"), minute=2)

    assert await listed(ledger, side_effect="write") == ["run_3", "run_1"]
    assert await listed(ledger, side_effect="network") == ["run_1"]
    assert await listed(ledger, side_effect="deploy") == []


async def test_runs_are_found_by_server_model_and_prompt(ledger):
    """S4-1, S4-10: which MCP server, which model and prompt version."""
    call = events.decided(mcp_server="files", mcp_client="desk")
    await run(ledger, "run_1", call, asked("m-1", prompt_version="v1"))
    await run(ledger, "run_2", asked("m-1", prompt_version="v2"), minute=1)

    assert await listed(ledger, mcp_server="files") == ["run_1"]
    assert await listed(ledger, mcp_client="desk", model="m-1") == ["run_1"]
    assert await listed(ledger, model="m-1") == ["run_2", "run_1"]
    assert await listed(ledger, model="m-1", prompt_version="v2") == ["run_2"]
    assert await listed(ledger, model="m-1", mcp_server="other") == []


async def test_runs_are_found_by_their_approvals(ledger):
    """S4-3, S4-10: what nobody answered in time is expired, and no person denied it."""
    await run(ledger, "run_1", events.asked("apr_1"), events.expired("apr_1"))
    await run(ledger, "run_2", events.asked("apr_2"), minute=1)

    assert await listed(ledger, approval="requested") == ["run_2", "run_1"]
    assert await listed(ledger, approval="expired") == ["run_1"]
    assert await listed(ledger, approval="denied") == []


async def test_costs_add_up_over_batches_and_runs_are_found_by_the_least(ledger):
    """S3-3: from what a run cost in all, whichever event said it."""
    await run(ledger, "run_1", asked(cost=700), asked(cost=299))
    await run(ledger, "run_2", asked(cost=5), asked(cost=4, currency="EUR"), minute=1)
    await ledger.record([persist(asked(cost=2), 4, "run_1")], {})
    again = persist(asked(cost=2), 4, "run_1")

    assert await listed(ledger, min_cost=1001) == ["run_1"]
    assert await listed(ledger, min_cost=1002) == []
    assert await listed(ledger, min_cost=5) == ["run_2", "run_1"]
    assert await listed(ledger, min_cost=4, currency="EUR") == ["run_2"]
    assert await ledger.record([again], {}) == 1, "another event of that seq"
    assert await listed(ledger, min_cost=1003) == ["run_1"]


async def test_what_is_recorded_twice_costs_once(ledger):
    batch = persists([events.started(), asked(cost=10), made("a")])
    await ledger.record(batch, {})

    assert await ledger.record(batch, {}) == 0

    known = await ledger.standing(PROJECT, [(events.NOON, "run_1")])
    assert known == {"run_1": Standing({"USD": 10}, [])}
    assert len(await ledger.artifacts(PROJECT, ANY, None, 10)) == 1


async def test_no_cost_is_too_large_to_be_recorded(ledger):
    """Hostile: a sum beyond any integer of the store must not stop what follows it."""
    greedy = [asked(cost=COST_MAX) for _ in range(600)]

    await run(ledger, "run_1", *greedy)
    await ledger.record(persists(greedy, 602), {})

    assert (await ledger.standing(PROJECT, [(at(0), "run_1")]))["run_1"].cost == {"USD": COST_MAX}
    assert await ledger.last_seq(PROJECT, "run_1") == 1201


@pytest.mark.parametrize(
    ("drafts", "why"),
    [
        ([events.decided(enforced="halt")], ["halted"]),
        ([events.observed("run_ended", status="failed")], ["failed"]),
        ([events.decided(decision_id="d"), events.resulted("d", "failed")], ["errors"]),
        ([events.decided() for _ in range(4)], None),
        (
            [*(events.decided() for _ in range(2))]
            + [events.decided(enforced="block") for _ in range(2)],
            ["interventions"],
        ),
    ],
)
async def test_what_is_worth_a_look_is_found_first(ledger, drafts, why):
    """S3-8: errors, budgets, halts, and runs that were stopped again and again."""
    await run(ledger, "run_1", *drafts)
    await run(ledger, "run_2", events.decided(), minute=1)

    assert await listed(ledger, attention="any") == ([] if why is None else ["run_1"])
    known = await ledger.standing(PROJECT, [(at(0), "run_1"), (at(1), "run_2")])
    assert known == ({} if why is None else {"run_1": Standing({}, why)})


async def test_pages_of_found_runs_neither_repeat_nor_leave_out(ledger):
    for n in range(7):
        await run(ledger, f"run_{n}", asked("m", cost=50), minute=n // 3)

    for wanted in (RunFilter(model="m"), RunFilter(min_cost=20, model="m")):
        seen: list[str] = []
        before = None
        while page := await ledger.runs(PROJECT, wanted, before, 2):
            seen += [row["run_id"] for row in page]
            before = (page[-1]["started_at"], page[-1]["run_id"])
        assert seen == [f"run_{n}" for n in (6, 5, 4, 3, 2, 1, 0)]


async def test_who_touched_a_file_and_what_came_of_a_turn(ledger):
    """S4-1, S4-8, S4-10: agent, call and turn of every artifact."""
    first = msgspec.structs.replace(
        made("docs/a.md", access="created", digest="sha256:" + "AB" * 32, size=3),
        action_id="act_1",
        turn_id="turn_1",
        recorded_at=at(1),
    )
    second = msgspec.structs.replace(made("docs/a.md", agent_id="editor"), recorded_at=at(2))
    await run(ledger, "run_1", first, agent_id="writer")
    await run(ledger, "run_2", second, agent_id="other")

    by_path = await ledger.artifacts(PROJECT, ArtifactFilter(path="docs/a.md"), None, 10)

    assert [(each.run_id, each.agent_id) for each in by_path] == [
        ("run_2", "editor"),
        ("run_1", "writer"),
    ]
    for wanted in (
        ArtifactFilter(digest="ab" * 32),
        ArtifactFilter(run_id="run_1", turn_id="turn_1"),
        ArtifactFilter(action_id="act_1"),
        ArtifactFilter(access="created", agent_id="writer"),
    ):
        (found,) = await ledger.artifacts(PROJECT, wanted, None, 10)
        assert (found.run_id, found.action_id, found.size) == ("run_1", "act_1", 3)
    assert await listed(ledger, path="docs/a.md") == ["run_2", "run_1"]
    assert await listed(ledger, digest="ab" * 32) == ["run_1"]
    behind = await ledger.artifacts(PROJECT, ANY, by_path[0].cursor, 10)
    assert [each.run_id for each in behind] == ["run_1"]


async def test_agents_complete_themselves(ledger):
    """S3-5: by how the id begins, each once, in order."""
    for n, agent_id in enumerate(["bot-b", "bot-a", "bot-a", "box", "a\x00b", None]):
        await run(ledger, f"run_{n}", minute=n, agent_id=agent_id)

    bots = await ledger.agents(PROJECT, "bot", 10)

    assert [(each.agent_id, each.last_started_at) for each in bots] == [
        ("bot-a", at(2)),
        ("bot-b", at(0)),
    ]
    every = await ledger.agents(PROJECT, "", 10)
    assert [each.agent_id for each in every] == ["a\x00b", "bot-a", "bot-b", "box"]
    assert await ledger.agents(PROJECT, "", 2) == every[:2]
    assert await ledger.agents(PROJECT, "bot_", 10) == []


async def test_runs_below_a_run_are_found(ledger):
    """S4-8."""
    await run(ledger, "run_1")
    await run(ledger, "run_2", minute=1, parent_run_id="run_1")

    assert await listed(ledger, parent_run_id="run_1") == ["run_2"]


@pytest.mark.parametrize("name", ["a\x00b", "\x01\x03", "\u202e\U0001f600'\"\\", "x" * 256])
async def test_what_is_found_by_may_be_any_text(ledger, name):
    call = events.decided(mcp_server=name)
    await run(ledger, "run_1", call, asked(name), made(name), agent_id=name)

    assert await listed(ledger, mcp_server=name, model=name, path=name) == ["run_1"]
    (artifact,) = await ledger.artifacts(PROJECT, ArtifactFilter(path=name), None, 10)
    assert (artifact.path, artifact.agent_id) == (name, name)


async def test_evidence_of_another_form_is_recorded_all_the_same(ledger):
    await run(ledger, "run_1", events.observed("model_call", id=7), asked("m-1"))

    assert await listed(ledger, model="m-1") == ["run_1"]


async def test_nothing_found_of_one_project_is_seen_from_another(ledger):
    await run(ledger, "run_1", asked("m", cost=100), made("a"), agent_id="bot")

    assert await ledger.runs("prj_2", RunFilter(model="m"), None, 10) == []
    assert await ledger.agents("prj_2", "", 10) == []
    assert await ledger.artifacts("prj_2", ANY, None, 10) == []
    assert await ledger.standing("prj_2", [(at(0), "run_1")]) == {}


async def test_runs_of_an_earlier_release_are_filed_again_once(ledger):
    """A rebuild gives what recording gave, and may be repeated."""
    await run(ledger, "run_1", asked("m", cost=150), made("a"), events.decided(mcp_server="s"))
    at_first = await ledger.standing(PROJECT, [(at(0), "run_1")])
    artifacts = await ledger.artifacts(PROJECT, ANY, None, 10)

    for _ in range(2):
        await ledger.refile(PROJECT, "run_1")

    assert await ledger.standing(PROJECT, [(at(0), "run_1")]) == at_first
    assert await ledger.artifacts(PROJECT, ANY, None, 10) == artifacts
    assert await listed(ledger, min_cost=150, mcp_server="s", path="a") == ["run_1"]
    await ledger.refile(PROJECT, "run_9")


async def test_what_is_filed_is_what_verification_works_out(ledger):
    """However the events were batched, and after filing it all again."""
    drafts = [
        msgspec.structs.replace(events.started(agent_id="ag"), recorded_at=at(0)),
        events.decided(side_effects=["write"], mcp_server="files"),
        asked("m-1", cost=40, prompt_version="v1"),
        made("a.txt", access="written", digest="sha256:" + "ab" * 32),
        events.asked("apr_1"),
        events.expired("apr_1"),
        asked("m-2", cost=77),
        asked("m-2", cost=COST_MAX, currency="eur"),
        events.observed("run_ended", status="failed"),
    ]
    for seq, draft in enumerate(drafts, 1):
        await ledger.record([persist(draft, seq, "run_1")], {})
    await ledger.record(persists(drafts, run_id="run_2"), {})
    await run(ledger, "run_3")
    before = [await ledger.filed(PROJECT, f"run_{n}") for n in (1, 2, 3)]

    first = await verify(ledger)
    await ledger.refile(PROJECT, "run_1")
    again = await verify(ledger)

    assert (first.ok, again.ok, first.runs) == (True, True, 3), first.bad
    assert await ledger.filed(PROJECT, "run_1") == before[0]
    assert before[0].costs == before[1].costs == {"USD": 117, "EUR": COST_MAX}
    assert len(before[0].facts) > 10
    assert [each.path for each in before[1].artifacts] == ["a.txt"]
    assert before[2] == FiledOfRun()
