"""An erased run in the hot store: nothing is appended to it again, by whichever gateway (N9)."""

from __future__ import annotations

import pytest

from gateway.domain.run_state import RunState
from gateway.errors import Conflict
from gateway.storage.ports import Reloaded
from tests.contract import appends as make

RUN = ("prj_1", "run_1")


async def test_nothing_is_appended_to_an_erased_run(hot):
    await make.done(hot.journal, make.starting("run_1", user_id="u_1"))
    await make.done(hot.journal, make.append())
    wrapped = (await hot.drain.secrets({RUN}))[RUN]

    await hot.journal.erase("prj_1", ["run_1", "run_unknown"])
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            await make.done(hot.journal, make.append())
        assert refused.value.code == "run_erased"
        assert not (await hot.drain.secrets({RUN})).get(RUN)
        await hot.reopen()

    assert wrapped
    assert await make.done(hot.journal, make.append("run_2")) == 1


async def test_a_run_that_was_erased_in_the_ledger_is_no_new_one(backend):
    state = RunState("prj_1", "production", "run_1", last_seq=7)

    async def reload(project_id, run_id):
        return Reloaded(state, {}, b"") if run_id == "run_1" else None

    hot = await backend(reload=reload).open()
    try:
        with pytest.raises(Conflict):
            await make.done(hot.journal, make.append())
    finally:
        await hot.close()


async def test_the_runs_of_a_destroyed_key_are_erased_and_others_go_on(hot):
    """Those of the user come under a new key from then on, as soon as the gateway knows."""
    await make.done(hot.journal, make.starting("run_1", user_id="u_1"))
    await make.done(hot.journal, make.starting("run_2", user_id="u_2"))

    changes, erasures = await hot.control.changes(), await hot.control.erasures()
    assert await hot.control.destroy_keys("prj_1", "u_1") == 1
    hot.keyring.forget()
    hot.journal.forget_keys()

    assert await hot.control.changes() != changes
    assert await hot.control.erasures() != erasures
    with pytest.raises(Conflict):
        await make.done(hot.journal, make.append("run_1", user_id="u_1"))
    assert await make.done(hot.journal, make.append("run_2", user_id="u_2")) == 2
    assert await make.done(hot.journal, make.starting("run_3", user_id="u_1")) == 1


async def test_content_of_a_run_that_was_not_erased_still_opens(hot):
    event = make.draft(content={"frame": b"{}"})
    await make.done(hot.journal, make.append(drafts=[event]))

    hot.keyring.forget()
    hot.journal.forget_keys()
    await hot.journal.scrub()
    await make.done(hot.journal, make.append())

    entry = await hot.journal.recall("prj_1", "run_1", event.id)
    assert entry is not None
    assert entry.draft.content == {"frame": b"{}"}


async def test_another_gateway_that_remembers_the_run_is_refused_too(hot):
    """What it has in memory is of a version that is gone."""
    if not hasattr(hot, "open_journal"):
        pytest.skip("a folder has one gateway")
    other = await hot.open_journal()
    try:
        await make.done(hot.journal, make.starting("run_1", user_id="u_1"))
        await make.done(other, make.append())
        await hot.journal.erase("prj_1", ["run_1"])

        for journal in (other, hot.journal):
            with pytest.raises(Conflict):
                await make.done(journal, make.append())
    finally:
        await other.close()
