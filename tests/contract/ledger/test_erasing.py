"""What an erased run is to a ledger: the events stay, its secret never comes back (N9)."""

from __future__ import annotations

from gateway.audit.verify import verify
from gateway.storage.ports import Erased
from tests.ledger import events
from tests.ledger.events import PROJECT, SECRET, WRAPPED, persists

ERASED = Erased("2026-11-20T13:00:00.000000Z", "run", "key_1")


async def open_secret(project_id: str, wrapped: bytes) -> bytes:
    assert (project_id, wrapped) == (PROJECT, WRAPPED)
    return SECRET


async def test_the_secret_goes_and_the_chain_still_verifies(both):
    ledger, gateway = both
    secrets = {(PROJECT, run_id): WRAPPED for run_id in ("run_1", "run_2")}
    for run_id in ("run_1", "run_2"):
        drafts = [events.started(), events.decided({"amount": 1})]
        await ledger.record(persists(drafts, run_id=run_id), secrets)

    count = await gateway.erase(PROJECT, ["run_1"], ERASED)
    again = await gateway.erase(PROJECT, ["run_1"], Erased("2027", "project", "key_2"))
    found = await verify(ledger, open_secret)

    assert (count, again) == (1, 0)
    assert await ledger.secret(PROJECT, "run_1") is None
    assert await ledger.secret(PROJECT, "run_2") == WRAPPED
    assert await ledger.erased(PROJECT, "run_1") == ERASED
    assert await ledger.erased(PROJECT, "run_2") is None
    assert (found.ok, found.runs, found.erased, found.sealed) == (True, 2, 1, 0)


async def test_a_secret_that_was_destroyed_never_comes_back(both):
    """A worker that remembers the run goes on recording what was under way."""
    ledger, gateway = both
    secrets = {(PROJECT, "run_1"): WRAPPED}
    await ledger.record([events.persist(events.started(), 1)], secrets)
    await gateway.erase(PROJECT, ["run_1", "run_unknown"], ERASED)

    await ledger.record([events.persist(events.draft(), 2)], secrets)
    await ledger.record(
        [events.persist(events.started(), 1, "run_unknown")], {(PROJECT, "run_unknown"): WRAPPED}
    )

    assert await ledger.secret(PROJECT, "run_1") is None
    assert await ledger.secret(PROJECT, "run_unknown") is None
    assert await ledger.last_seq(PROJECT, "run_1") == 2


async def test_runs_to_erase_are_a_user_s_or_all_of_a_project_s(both):
    ledger, gateway = both
    for number, user in enumerate(["u_1", "u_2", "u_1"], 1):
        run_id = f"run_{number}"
        event = events.persist(events.started(user_id=user), 1, run_id)
        await ledger.record([event], {(PROJECT, run_id): WRAPPED})
    await gateway.erase(PROJECT, ["run_1"], ERASED)

    assert await gateway.to_erase(PROJECT, "u_1", "", 10) == ["run_3"]
    assert await gateway.to_erase(PROJECT, None, "", 1) == ["run_2"]
    assert await gateway.to_erase(PROJECT, None, "run_2", 10) == ["run_3"]
    assert await gateway.to_erase("prj_2", None, "", 10) == []
