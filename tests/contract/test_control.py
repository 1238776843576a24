"""Projects, API keys, wrapped keys and policy versions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.domain import sealing
from gateway.domain.sealing import SealBroken
from gateway.errors import ConfigInvalid
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.keyring import KeyMissing, Keyring
from gateway.storage.ports import Control, KeyRecord
from gateway.storage.server.postgres.control import open_control
from tests.contract.backends import MASTER
from tests.make import FixedAmbient
from tests.servers import postgres

KEY = KeyRecord(
    id="k1",
    project_id="prj_1",
    environment="production",
    name="agents",
    digest=b"\x00\xff",
    scopes=("check", "read"),
    created_at="2026-11-20T12:00:00Z",
    agent_id="agt_1",
    expires_at="2027-01-01T00:00:00Z",
)
SECRET = bytes(range(32, 64))


class Opened:
    """A control with the keys it holds, opened as a gateway opens it."""

    def __init__(self, opening: Callable[[], Awaitable[Control]]) -> None:
        self._opening = opening

    async def open(self) -> Opened:
        self.control = await self._opening()
        self.keyring = Keyring(self.control, MASTER)
        await self.keyring.verify()
        return self

    async def reopen(self) -> None:
        await self.control.close()
        await self.open()


@pytest.fixture(params=["embedded", "postgres"])
async def hot(request, tmp_path):
    """Control on every backend; of the hot stores this file needs nothing else."""
    ambient = FixedAmbient()
    async with AsyncExitStack() as stack:
        if request.param == "embedded":
            opened = Opened(lambda: embedded(tmp_path, ambient))
        else:
            place = await stack.enter_async_context(postgres.emptied(postgres.shared()))
            opened = Opened(lambda: open_control(place.gateway, ambient))
        yield await opened.open()
        await opened.control.close()


async def embedded(folder: Path, ambient: FixedAmbient) -> Control:
    return EmbeddedControl(folder / "control.db", ambient)


async def test_keys_are_kept_as_they_were_given(hot):
    plain = KeyRecord("k2", "prj_1", "staging", "", b"", (), "2026-11-20T12:00:01Z")
    await hot.control.add_key(KEY)
    await hot.control.add_key(plain)

    await hot.reopen()

    assert list(await hot.control.keys()) == [KEY, plain]


async def test_a_key_is_revoked_once_and_every_change_is_announced(hot):
    """Revocation works within seconds because caches watch this number."""
    numbers = [await hot.control.changes()]
    await hot.control.add_key(KEY)
    numbers.append(await hot.control.changes())

    assert await hot.control.revoke_key("k1", "2026-11-20T13:00:00Z")
    numbers.append(await hot.control.changes())
    assert not await hot.control.revoke_key("k1", "2026-11-20T14:00:00Z")
    assert not await hot.control.revoke_key("k9", "2026-11-20T14:00:00Z")

    assert len(set(numbers)) == 3
    assert await hot.control.changes() == numbers[-1]
    assert [key.revoked_at for key in await hot.control.keys()] == ["2026-11-20T13:00:00Z"]


async def test_a_project_is_made_once(hot):
    first = await hot.control.project("acme")

    assert await hot.control.project("acme") == first
    assert await hot.control.project("other") != first


async def test_policy_versions_are_kept_for_ever_newest_first(hot):
    files = {"policy.yaml": "budget: “10 €”\n", "rules/a.rego": "package a\n"}
    await hot.control.save_version("d1", files, None, "2026-11-20T12:00:00Z")
    await hot.control.save_version("d2", {}, "abc", "2026-11-20T13:00:00Z")
    await hot.control.save_version("d1", {"policy.yaml": "other"}, None, "2026-11-21T12:00:00Z")

    await hot.reopen()

    assert await hot.control.version_files("d1") == files
    assert await hot.control.version_files("d3") is None
    assert [version["digest"] for version in await hot.control.versions()] == ["d2", "d1"]
    assert (await hot.control.versions())[0] == {
        "digest": "d2",
        "commit": "abc",
        "saved_at": "2026-11-20T13:00:00Z",
    }


async def test_the_first_wrapped_key_counts(hot):
    outcomes = await asyncio.gather(
        *(hot.control.put_wrapped_key("prj_1", "u_1", bytes([n])) for n in range(5))
    )

    assert len(set(outcomes)) == 1
    assert await hot.control.wrapped_key("prj_1", "u_1") == outcomes[0]
    assert await hot.control.wrapped_key("prj_2", "u_1") is None


@pytest.mark.parametrize("user", [None, "", "u_1", "user:", "ü\x00"])
async def test_a_run_s_secret_opens_again(hot, user):
    """A project's and each user's secrets are wrapped by keys of their own, whatever their name."""
    wrapped = await hot.keyring.run_secret_wrap("prj_1", user, SECRET)
    await hot.reopen()

    assert await hot.keyring.run_secret("prj_1", wrapped) == SECRET
    assert SECRET not in wrapped
    keys = {
        await hot.control.wrapped_key("prj_1", user),
        await hot.control.wrapped_key("prj_1", None),
    }
    assert None not in keys
    assert len(keys) == (1 if user is None else 2)


async def test_a_wrapped_secret_belongs_to_its_project(hot):
    """S12: what is wrapped for one project does not open in another."""
    wrapped = await hot.keyring.run_secret_wrap("prj_1", None, SECRET)
    await hot.keyring.run_secret_wrap("prj_2", None, SECRET)

    with pytest.raises(SealBroken):
        await hot.keyring.run_secret("prj_2", wrapped)


async def test_a_secret_whose_key_is_gone_is_said_to_be_erased(hot):
    wrapped = await hot.keyring.run_secret_wrap("prj_1", "u_1", SECRET)
    elsewhere = Keyring(hot.control, MASTER)

    with pytest.raises(KeyMissing):
        await elsewhere.run_secret("prj_9", wrapped)


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x93\x02\xc0\xc4\x00", "cut", "flip"])
async def test_a_damaged_wrapped_secret_is_refused(hot, damage):
    wrapped = await hot.keyring.run_secret_wrap("prj_1", None, SECRET)
    if damage == "cut":
        damage = wrapped[:-1]
    elif damage == "flip":
        damage = wrapped[:-1] + bytes([wrapped[-1] ^ 1])

    with pytest.raises(SealBroken):
        await hot.keyring.run_secret("prj_1", damage)


async def test_two_keyrings_that_start_together_agree_on_the_keys(hot):
    rings = [Keyring(hot.control, MASTER) for _ in range(8)]

    wrapped = await asyncio.gather(
        *(ring.run_secret_wrap("prj_1", "u_1", SECRET) for ring in rings)
    )

    for ring in rings:
        for each in wrapped:
            assert await ring.run_secret("prj_1", each) == SECRET


async def test_a_wrong_master_key_is_refused_clearly(hot):
    """Starting with another key would make all content unreadable: the gateway must not start."""
    stranger = Keyring(hot.control, sealing.new_secret())

    with pytest.raises(ConfigInvalid, match="master key does not belong to this data"):
        await stranger.verify()

    await Keyring(hot.control, MASTER).verify()


async def test_the_keyring_holds_a_bounded_number_of_keys(hot):
    ring = Keyring(hot.control, MASTER, opened_max=3)
    wrapped = [await ring.run_secret_wrap("prj_1", f"u_{n}", SECRET) for n in range(10)]

    assert [await ring.run_secret("prj_1", each) for each in wrapped] == [SECRET] * 10
    assert len(ring._opened) <= 3
