"""A Redis that is slow for a moment: a check gives up, whoever reads waits."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import StorageFailure
from tests.contract import appends as make


@pytest.fixture
async def stopping(server, on):
    """A journal on a server of the test's own, which may be stopped."""
    rig = await on(server.url, seconds=1.0).open()
    yield rig
    await rig.close()


async def test_a_read_outlasts_a_pause_that_a_check_does_not(server, stopping):
    """A check has its fail mode to fall back on, a reader nothing but to ask again."""
    append, action = make.decision("act_1")
    await make.done(stopping.journal, make.starting("run_1"))
    await make.done(stopping.journal, append)

    server.pause()
    reads = asyncio.gather(
        stopping.journal.find_action("prj_1", action.decision_id),
        stopping.journal.last_seq("prj_1", "run_1"),
        stopping.journal.figures(),
    )
    with pytest.raises(StorageFailure):
        await stopping.journal.gather(make.ask())
    assert not reads.done()
    server.go_on()
    found, last_seq, _ = await reads

    assert found == ("run_1", action)
    assert last_seq == 2
