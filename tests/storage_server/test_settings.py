"""What Redis must be like: settings that are refused, durability told as it is, room that ends."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import ConfigInvalid, StorageFailure
from gateway.storage.ports import Appended, Reloaded
from gateway.storage.server.redis.drain import open_drain
from tests.contract import appends as make
from tests.servers import redis

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("name", "value", "promised"),
    [
        ("appendfsync", "always", "fsync"),
        ("appendfsync", "everysec", "memory"),
        ("appendonly", "no", "memory"),
        ("no-appendfsync-on-rewrite", "yes", "memory"),
    ],
)
async def test_durability_is_told_as_redis_is_set(server, on, name, value, promised):
    with server.client() as client:
        client.config_set(name, value)
    rig = await on(server.url).open()

    assert await rig.journal.append(make.append()) == Appended(1, promised)
    assert (await rig.journal.figures()).durability == promised
    await rig.close()


async def test_a_setting_that_changes_is_noticed(server, on):
    rig = await on(server.url).open()
    with server.client() as client:
        client.config_set("appendfsync", "everysec")
        await rig.journal.tend()
        assert await rig.journal.append(make.append()) == Appended(1, "memory")

        client.config_set("maxmemory-policy", "allkeys-lru")
        await rig.journal.tend()
        with pytest.raises(StorageFailure, match="noeviction"):
            await rig.journal.append(make.append())

        client.config_set("maxmemory-policy", "noeviction")
        await rig.journal.tend()
        assert await rig.journal.append(make.append()) == Appended(2, "memory")
    await rig.close()


async def test_a_redis_that_may_evict_is_refused(server, on):
    """2.1: it could drop events."""
    with server.client() as client:
        client.config_set("maxmemory-policy", "volatile-lru")
    rig = on(server.url)

    with pytest.raises(ConfigInvalid, match="CONFIG SET maxmemory-policy noeviction"):
        await rig.open()
    await rig.control.close()


async def test_the_number_of_partitions_is_fixed_at_the_first_use(rig):
    """Another number would look for every run in another place."""
    with pytest.raises(ConfigInvalid, match="64 partitions and cannot have 32"):
        await rig.another_journal(partitions=32)
    with pytest.raises(ConfigInvalid, match="64 partitions"):
        await open_drain(rig.url(), rig.ambient, namespace=rig.namespace, partitions=128)


async def test_what_is_not_a_redis_url_is_said(on):
    rig = on("http://127.0.0.1:1")

    with pytest.raises(ConfigInvalid, match="URL"):
        await rig.open()
    await rig.control.close()


async def test_a_redis_without_room_refuses_and_the_worker_makes_room(server, on):
    """2.1: out of memory is a store failure; what drains must go on, or it would never end."""
    rig = await on(server.url).open()
    big = make.draft(body=b'{"pad":"%b"}' % (b"x" * 200_000))
    for _ in range(20):
        await make.done(rig.journal, make.append(drafts=[_like(big)]))
    with server.client() as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]))
        with pytest.raises(StorageFailure, match="maxmemory"):
            await rig.journal.append(make.append(drafts=[_like(big)]))
        assert (await rig.journal.gather(make.ask())).version == 20
        late = await rig.another_drain()

        while claims := await rig.drain.claim(7):
            await rig.drain.settle(claims)

        assert await late.claim(1) == []
        assert await make.done(rig.journal, make.append(drafts=[_like(big)])) == 21
    await rig.close()


async def test_no_more_waits_than_may(rig):
    """D6: refused in clear words, and taken in again when the worker has caught up."""
    rig.options["waiting_max"] = 20
    full = await rig.another_journal()
    for number in range(20):
        await make.done(full, make.append(f"run_{number}"))
    rig.ambient.pass_seconds(2)

    with pytest.raises(StorageFailure, match="20 events wait for a worker"):
        await full.append(make.append("run_x"))

    await rig.drain.settle(await rig.drain.claim(5))
    rig.ambient.pass_seconds(2)
    assert (await full.figures()).waiting == 15
    assert await make.done(full, make.append("run_x")) == 1


async def test_one_partition_alone_is_bounded_without_being_counted(rig):
    """The limit of a partition is checked by Redis itself, at every append."""
    rig.options["waiting_max"] = 1000
    full = await rig.another_journal()
    for _ in range(10):
        await make.done(full, make.append(drafts=[make.draft() for _ in range(100)]))

    with pytest.raises(StorageFailure, match="1000 events wait for a worker"):
        await full.append(make.append())


async def test_functions_come_back_when_they_were_flushed(everywhere):
    await make.done(everywhere.journal, make.append())
    for server in _servers(everywhere):
        with server.client() as client:
            client.function_flush()

    outcomes = await asyncio.gather(
        *(everywhere.journal.append(make.append(f"run_{number}")) for number in range(30))
    )

    assert [outcome.first_seq for outcome in outcomes] == [1, 2, *[1] * 28]
    assert (await everywhere.journal.gather(make.ask())).version == 2
    assert len(await everywhere.drain.claim(100)) == 31


async def test_a_redis_that_was_emptied_goes_on_from_the_ledger(server, on):
    """What was drained is not lost: a run is folded back before its next seq."""
    ledger: dict[str, Reloaded] = {}

    async def reload(project_id, run_id):
        return ledger.get(run_id)

    rig = await on(server.url, reload=reload).open()
    await make.done(rig.journal, make.starting("run_1", name="first"))
    state = (await rig.journal.gather(make.ask())).state
    wrapped = (await rig.drain.secrets({("prj_1", "run_1")}))[("prj_1", "run_1")]
    await rig.drain.settle(await rig.drain.claim(10))
    ledger["run_1"] = Reloaded(state, {}, wrapped)
    with server.client() as client:
        client.flushall()
        client.function_flush()

    assert await make.done(rig.journal, make.append()) == 2
    assert (await rig.journal.gather(make.ask())).state.name == "first"
    assert await make.done(rig.journal, make.append("run_new")) == 1
    await rig.close()


def _like(draft):
    return make.draft(body=draft.body)


def _servers(rig):
    from tests.storage_server.conftest import ClusterRig

    return redis.shared_cluster() if isinstance(rig, ClusterRig) else [redis.shared()]
