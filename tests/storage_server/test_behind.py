"""What lies behind Redis may be away: that is told apart from Redis, in time, and asked of less."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import RecordAway, StorageFailure
from gateway.storage.ports import Appended
from gateway.storage.server.redis.behind import Behind
from tests.contract import appends as make
from tests.servers import redis


async def _away(_project_id: str, _run_id: str) -> None:
    raise StorageFailure("The database is away.")


async def _silent(_project_id: str, _run_id: str) -> bool:
    await asyncio.sleep(3600)
    return False


async def test_a_run_that_the_gateway_has_just_made_is_not_looked_for(on):
    """The first check of a run without a name needs no ledger; one that was named does."""
    rig = await on(redis.shared().url, reload=_away).open()

    gathered = await rig.journal.gather(make.ask("run_new", is_new=True))
    appended = await rig.journal.append(make.append("run_new"))
    with pytest.raises(RecordAway, match="away"):
        await rig.journal.gather(make.ask("run_named"))
    with pytest.raises(RecordAway, match="away"):
        await rig.journal.append(make.append("run_named"))

    assert gathered.state.last_seq == 0
    assert isinstance(appended, Appended)
    await rig.close()


async def test_nobody_waits_long_for_what_lies_behind(rig):
    behind = Behind(rig.keyring, _away, knows=_silent)

    with pytest.raises(RecordAway, match="in time"):
        await asyncio.wait_for(behind.reload("prj_1", "run_1"), 10)
