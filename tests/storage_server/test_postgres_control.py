"""Control on PostgreSQL beyond the contract: who hears of a change, and who may see keys."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from gateway.ambient import SystemAmbient
from gateway.checking.authenticate import KeyCache
from gateway.domain import api_keys
from gateway.errors import StorageFailure, Unauthenticated
from gateway.storage.keyring import Keyring
from gateway.storage.ports import KeyRecord
from gateway.storage.server.postgres.control import open_control
from tests.make import FixedAmbient

MASTER = bytes(range(32))
PEPPER = b"pepper"
AT = "2026-11-20T12:00:00Z"


@pytest.fixture
async def control(place):
    opened = await open_control(place.gateway, FixedAmbient())
    yield opened
    await opened.close()


def key(key_id: str = "k1", **fields) -> KeyRecord:
    return KeyRecord(
        **{
            "id": key_id,
            "project_id": "prj_1",
            "environment": "production",
            "name": "agents",
            "digest": b"d",
            "scopes": ("check",),
            "created_at": AT,
            **fields,
        }
    )


async def test_a_key_revoked_at_one_gateway_stops_working_at_the_others(place, control):
    """Each asks for one number; only when it differs are the keys read again."""
    text, key_id, _ = api_keys.make("production")
    digest = api_keys.digest(PEPPER, text)
    await control.add_key(key(key_id, digest=digest))
    others = [await open_control(place.gateway, FixedAmbient()) for _ in range(3)]
    caches = [KeyCache(each, PEPPER, FixedAmbient()) for each in others]
    for cache in caches:
        await cache.refresh()
        assert cache.authenticate(f"Bearer {text}").key_id == key_id

    await control.revoke_key(key_id, AT)

    for cache in caches:
        assert await cache.refresh()
        with pytest.raises(Unauthenticated):
            cache.authenticate(f"Bearer {text}")
        assert not await cache.refresh()
    await asyncio.gather(*(each.close() for each in others))


async def test_a_change_made_by_hand_is_announced_too(place, control):
    await control.add_key(key())
    before = await control.changes()

    async with place.superuser() as connection:
        await connection.execute("UPDATE checkrein.api_key SET revoked_at = 'now'")

    assert await control.changes() > before


async def test_many_who_name_a_new_project_get_one(place, control):
    others = [await open_control(place.gateway, SystemAmbient()) for _ in range(3)]

    ids = await asyncio.gather(*(each.project("acme") for each in [control, *others] * 3))

    assert len(set(ids)) == 1
    await asyncio.gather(*(each.close() for each in others))


async def test_a_worker_opens_keys_and_sees_neither_api_keys_nor_policies(place, control):
    ring = Keyring(control, MASTER)
    await ring.verify()
    wrapped = await ring.run_secret_wrap("prj_1", "u_1", bytes(32))
    of_worker = await open_control(place.worker, FixedAmbient(), "worker")
    opened = Keyring(of_worker, MASTER)

    await opened.verify()

    assert await opened.run_secret("prj_1", wrapped) == bytes(32)
    for refused in (
        of_worker.keys(),
        of_worker.add_key(key()),
        of_worker.revoke_key("k1", AT),
        of_worker.project("acme"),
        of_worker.versions(),
        of_worker.save_version("d", {}, None, AT),
    ):
        with pytest.raises(StorageFailure, match="42501"):
            await refused
    await of_worker.close()


async def test_a_wrapped_key_shows_to_its_project_alone(place, control):
    await control.put_wrapped_key("prj_1", None, b"one")
    connection = await asyncpg.connect(place.gateway)

    async with connection.transaction():
        await connection.execute("SET LOCAL checkrein.project = 'prj_2'")
        assert await connection.fetch("SELECT 1 FROM checkrein.wrapped_key") == []
    await connection.close()


@pytest.mark.parametrize("name", ["", "a\x00b", "\x01\x02", "'; DROP TABLE checkrein.run; --"])
async def test_a_key_s_and_a_project_s_name_may_be_any_text(control, name):
    await control.add_key(key(name=name))

    assert [each.name for each in await control.keys()] == [name]
    assert await control.project(name) == await control.project(name)
