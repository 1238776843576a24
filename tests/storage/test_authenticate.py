"""API keys against a real Control: who is let in, and how soon that ends."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.checking.authenticate import KeyCache, pepper
from gateway.domain import api_keys
from gateway.errors import Unauthenticated
from gateway.storage.embedded.connections import open_writer
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.ports import Caller, KeyRecord
from tests.contract.backends import MASTER
from tests.make import FixedAmbient

PEPPER = pepper(MASTER)


@pytest.fixture
async def control(tmp_path):
    opened = EmbeddedControl(tmp_path / "control.db", FixedAmbient())
    yield opened
    await opened.close()


async def test_a_valid_key_says_who_asks(control):
    """S1-29: a key stands for a project, an environment, scopes, and perhaps an agent."""
    text, cache, _ = await _made(control, agent_id="agt_1")

    caller = Caller(
        key_id=_parts(text).id,
        project_id="prj_1",
        environment="production",
        scopes=frozenset({"check", "read"}),
        agent_id="agt_1",
    )
    assert cache.authenticate(f"Bearer {text}") == caller
    assert cache.authenticate(f"bearer {text}") == caller


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic {key}",
        "{key}",
        "Bearer  {key}",
        "Bearer {key} ",
        "Bearer {other}",
        "Bearer {key},Bearer {key}",
        "Bearer \u00fc{key}",
        "Bearer " + "x" * 100_000,
    ],
)
async def test_everything_else_is_nobody(control, header):
    text, cache, _ = await _made(control)
    other, _, _ = api_keys.make("production")
    sent = header.format(key=text, other=other) if header else header

    with pytest.raises(Unauthenticated) as refused:
        cache.authenticate(sent)
    assert refused.value.code == "unauthenticated"


async def test_the_id_of_a_key_is_not_enough(control):
    """Another secret under a known id is refused as if the id were unknown."""
    text, cache, _ = await _made(control)
    secret = _parts(text).secret
    body = text.rpartition("_")[0].replace(secret, secret[::-1])

    with pytest.raises(Unauthenticated) as refused:
        cache.authenticate(f"Bearer {body}_{api_keys._check(body)}")
    assert refused.value.code == "unauthenticated"


async def test_a_key_ends_on_time(control):
    text, cache, ambient = await _made(control, expires_at="2026-11-20T12:00:10Z")
    assert cache.authenticate(f"Bearer {text}")

    ambient.pass_seconds(10)

    with pytest.raises(Unauthenticated) as refused:
        cache.authenticate(f"Bearer {text}")
    assert refused.value.code == "key_expired"


async def test_a_revoked_key_ends_with_the_next_refresh(control):
    """Asked once a second, so within five seconds."""
    text, cache, _ = await _made(control)
    assert not await cache.refresh()

    await control.revoke_key(_parts(text).id, "2026-11-20T12:00:00Z")

    assert await cache.refresh()
    with pytest.raises(Unauthenticated) as refused:
        cache.authenticate(f"Bearer {text}")
    assert refused.value.code == "key_revoked"


async def test_a_revocation_is_noticed_also_after_the_store_was_away(control, tmp_path):
    """While Control cannot be read the known keys go on; afterwards the loop catches up."""
    text, cache, _ = await _made(control)
    stop = asyncio.Event()
    loop = asyncio.create_task(cache.run(stop))
    with contextlib.closing(open_writer(tmp_path / "control.db")) as other:
        other.execute("ALTER TABLE change RENAME TO away")
        await asyncio.sleep(1.2)
        assert cache.authenticate(f"Bearer {text}")
        other.execute("ALTER TABLE away RENAME TO change")
    await control.revoke_key(_parts(text).id, "2026-11-20T12:00:00Z")

    async with asyncio.timeout(5):
        while (code := _code(cache, text)) is None:  # noqa: ASYNC110  as a caller would see it
            await asyncio.sleep(0.05)
    stop.set()
    await loop
    assert code == "key_revoked"


def _code(cache: KeyCache, text: str) -> str | None:
    """Why the key is refused, None when it is not."""
    try:
        cache.authenticate(f"Bearer {text}")
    except Unauthenticated as refused:
        return refused.code
    return None


def _parts(text: str) -> api_keys.KeyParts:
    parts = api_keys.parse(text)
    assert parts is not None
    return parts


async def _made(control, **fields):
    text, key_id, _ = api_keys.make("production")
    await control.add_key(
        KeyRecord(
            id=key_id,
            project_id="prj_1",
            environment="production",
            name="agents",
            digest=api_keys.digest(PEPPER, text),
            scopes=("check", "read"),
            created_at="2026-11-20T12:00:00Z",
            **fields,
        )
    )
    ambient = FixedAmbient()
    cache = KeyCache(control, PEPPER, ambient)
    await cache.refresh()
    return text, cache, ambient
