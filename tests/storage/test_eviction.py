"""A run on its way out of the journal: whoever wants it meanwhile waits, and gets all of it."""

from __future__ import annotations

import asyncio
import copy
import sqlite3
import threading

from gateway.storage.embedded.eviction import _delete
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.ports import Reloaded, Reserve
from tests.contract import appends as make
from tests.contract.backends import EmbeddedHot
from tests.make import NOON_NS

RUN = ("prj_1", "run_1")


async def test_an_append_to_a_leaving_run_waits_and_loses_no_action(tmp_path):
    """design 4: loaded back from the ledger before the next seq, not from half-gone rows."""
    ledger: dict[str, Reloaded] = {}

    async def reload(project_id: str, run_id: str) -> Reloaded | None:
        return copy.deepcopy(ledger.get(run_id))

    hot = await EmbeddedHot(tmp_path, reload=reload).open()
    journal = _embedded(hot)
    wanted, made = make.decision("act_1")
    await make.done(journal, wanted)
    state = copy.deepcopy((await journal.gather(make.ask())).state)
    wrapped = (await hot.drain.secrets({RUN}))[RUN]
    ledger["run_1"] = Reloaded(state, {"act_1": made}, wrapped)
    await hot.drain.settle(await hot.drain.claim(1))

    gate = threading.Event()
    held = asyncio.create_task(journal._writer.run(lambda _: gate.wait(10)))
    leaving = asyncio.create_task(journal.evict_idle(NOON_NS + 1, 10))
    while not journal._runs.is_leaving(RUN):  # noqa: ASYNC110  another thread is looking
        await asyncio.sleep(0.001)
    appending = asyncio.create_task(make.done(journal, make.append()))
    await asyncio.sleep(0.01)
    journal._runs.bring(RUN, "production", ledger["run_1"])
    assert journal._runs.get(RUN) is None
    gate.set()

    assert (await held, await leaving, await appending) == (True, 1, 2)
    await hot.reopen()
    gathered = await hot.journal.gather(make.ask(action_id="act_1"))
    await hot.close()
    assert gathered.action == made
    assert gathered.state.last_seq == 2
    assert list(gathered.state.recent) == ["act_1"]


async def test_a_run_that_was_appended_to_meanwhile_stays(tmp_path):
    """What was idle at the look need not be at the delete: it is asked again there."""
    hot = await EmbeddedHot(tmp_path).open()
    await make.done(hot.journal, make.append())
    await hot.drain.settle(await hot.drain.claim(1))

    def delete(idle_before_ns: int):
        def work(db: sqlite3.Connection) -> int:
            return _delete(db, [RUN], idle_before_ns)

        return _embedded(hot)._writer.run(work)

    assert await delete(NOON_NS) == 0
    assert await delete(NOON_NS + 1) == 1
    await hot.close()


async def test_counters_go_when_their_window_is_over(tmp_path):
    """The file does not grow by every minute's budget; what a run has spent is kept for it."""
    hot = await EmbeddedHot(tmp_path).open()
    over = ["a|production|user=u|2026-11-20T11:59", "a|production|user=u|2026-11-20T11"]
    over += ["a|production|user=u|2026-11-19", "a|production|user=u|2026-10"]
    stay = ["a|production|user=u|2026-11-20T12:00", "a|production|user=u|2026-11-20T12"]
    stay += ["a|production|user=u|2026-11-20", "a|production|user=u|2026-11"]
    stay += ["a|production|run=run_1|run", "plain"]
    confirm = dict.fromkeys([*over, *stay], 5)
    wishes = tuple(Reserve(key, 5) for key in confirm)
    await hot.journal.gather(make.ask(reserve=wishes, reservation_id="dec_1"))
    await make.done(hot.journal, make.append(reservation_id="dec_1", confirm=confirm))

    for limit in (2, 2, 100):
        await hot.journal.evict_idle(NOON_NS, limit)

    await hot.reopen()
    seen = await hot.journal.gather(make.ask(reserve=wishes, reservation_id="dec_2"))
    await hot.close()
    assert seen.used == {**dict.fromkeys(over, 0), **dict.fromkeys(stay, 5)}


def _embedded(hot: EmbeddedHot) -> EmbeddedJournal:
    assert isinstance(hot.journal, EmbeddedJournal)
    return hot.journal
