"""What the doctor looks at on Redis, PostgreSQL and OPA: rights, durability, clocks, versions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gateway.cli.findings import Finding
from gateway.errors import CheckreinError

if TYPE_CHECKING:
    from gateway.config import Settings

SECONDS = 5.0
REDIS = (7, 0)
POSTGRES = 150_000
CLOCK_NOTE = 0.5
CLOCK_FAILED = 5.0

# A setting, the value it must have, and what is lost otherwise.
REDIS_SETTINGS = (
    ("appendonly", "yes", "a restart loses what was acknowledged"),
    ("appendfsync", "always", "a power cut loses what was acknowledged"),
    ("no-appendfsync-on-rewrite", "no", "during a rewrite nothing is flushed to the disk"),
    ("maxmemory-policy", "noeviction", "Redis may drop events that nobody has recorded yet"),
)
POSTGRES_SETTINGS = (
    ("fsync", "on", "a power cut corrupts the record"),
    ("full_page_writes", "on", "a power cut corrupts the record"),
    ("synchronous_commit", "on", "a power cut loses recorded events"),
)
ROLE = """
    SELECT current_user AS name, rolsuper, rolbypassrls,
        pg_has_role(current_user, 'checkrein_gateway', 'USAGE') AS gateway,
        pg_has_role(current_user, 'checkrein_worker', 'USAGE') AS worker
    FROM pg_roles WHERE rolname = current_user
"""
ROLES_EXIST = "SELECT count(*) = 2 FROM pg_roles WHERE rolname = ANY($1)"


def redis(settings: Settings) -> Iterator[Finding]:
    """Whether the hot store keeps what it acknowledges."""
    from redis import Redis
    from redis.exceptions import RedisError

    assert settings.redis_url is not None
    try:
        with Redis.from_url(
            settings.redis_url,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            decode_responses=True,
        ) as client:
            yield _redis_version(str(client.info("server")["redis_version"]))
            for name, wanted, lost in REDIS_SETTINGS:
                yield _redis_setting(name, client.config_get(name).get(name), wanted, lost)
            seconds, micros = client.time()
            yield _clock("redis clock", seconds + micros / 1e6)
    except (RedisError, OSError, ValueError) as error:
        mend = "start Redis, or correct CHECKREIN_REDIS_URL"
        yield Finding("redis", "failed", f"it does not answer: {type(error).__name__}", mend)


def postgres(settings: Settings) -> Iterator[Finding]:
    """Whether the database keeps what it commits, and lets nobody past row-level security."""
    import asyncpg

    async def look() -> list[Finding]:
        return [each async for each in _postgres(settings)]

    try:
        yield from asyncio.run(look())
    except (asyncpg.PostgresError, OSError, TimeoutError, ValueError) as error:
        mend = "start PostgreSQL, or correct CHECKREIN_DATABASE_URL"
        yield Finding("postgres", "failed", f"it does not answer: {type(error).__name__}", mend)


async def _postgres(settings: Settings) -> AsyncIterator[Finding]:
    import asyncpg

    connection = await asyncpg.connect(
        settings.database_url, timeout=SECONDS, command_timeout=SECONDS, statement_cache_size=0
    )
    try:
        yield _postgres_version(int(await connection.fetchval("SHOW server_version_num")))
        for name, wanted, lost in POSTGRES_SETTINGS:
            yield _postgres_setting(name, await connection.fetchval(f"SHOW {name}"), wanted, lost)
        if await connection.fetchval(ROLES_EXIST, ["checkrein_gateway", "checkrein_worker"]):
            yield _role(dict(await connection.fetchrow(ROLE) or {}))
            yield await _schema(str(settings.database_url))
        else:
            yield Finding("postgres schema", "failed", "there are no tables", "checkrein migrate")
        now = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())")
        yield _clock("postgres clock", float(now))
    finally:
        connection.terminate()


async def _schema(url: str) -> Finding:
    from gateway.storage.server.postgres.migrate import check

    what = "postgres schema"
    try:
        found = await check(url)
    except CheckreinError as error:
        return Finding(what, "failed", str(error), "checkrein migrate")
    if found.state == "behind":
        return Finding(what, "failed", found.detail, "checkrein migrate")
    if found.state == "edited":
        return Finding(what, "failed", found.detail, "start the release that last migrated it")
    return Finding(what, "note" if found.state == "ahead" else "ok", found.detail)


def opa(settings: Settings) -> Iterator[Finding]:
    """Whether the server that evaluates rules answers."""
    from gateway.engines.opa import OpaEngine

    url = str(settings.opa_url)

    async def look() -> Finding:
        engine = OpaEngine(url)
        try:
            found = await engine.probe()
        finally:
            await engine.close()
        if found.version is not None:
            return Finding("opa", "ok", f"version {found.version}")
        mend = "start OPA (`opa run --server`), or correct CHECKREIN_OPA_URL"
        return Finding("opa", "failed", found.detail, mend)

    yield asyncio.run(look())


def _redis_version(version: str) -> Finding:
    if tuple(int(part) for part in version.split(".")[:2]) >= REDIS:
        return Finding("redis", "ok", version)
    return Finding("redis", "failed", f"{version} has no Functions", "install Redis 7 or later")


def _redis_setting(name: str, found: str | None, wanted: str, lost: str) -> Finding:
    what = f"redis {name}"
    if found == wanted:
        return Finding(what, "ok", wanted)
    return Finding(what, "failed", f"{found}: {lost}", f"redis-cli CONFIG SET {name} {wanted}")


def _postgres_version(number: int) -> Finding:
    version = f"{number // 10_000}.{number % 10_000}"
    if number >= POSTGRES:
        return Finding("postgres", "ok", version)
    return Finding("postgres", "failed", f"{version} is too old", "install PostgreSQL 15 or later")


def _postgres_setting(name: str, found: str, wanted: str, lost: str) -> Finding:
    what = f"postgres {name}"
    # With replicas there is a stronger word for it.
    if found in (wanted, "remote_apply"):
        return Finding(what, "ok", found)
    mend = f"ALTER SYSTEM SET {name} = '{wanted}'; SELECT pg_reload_conf();"
    return Finding(what, "failed", f"{found}: {lost}", mend)


def _role(row: Mapping[str, Any]) -> Finding:
    name = row["name"]
    if row["rolsuper"] or row["rolbypassrls"]:
        mend = f"ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS;"
        return Finding("postgres role", "failed", f"{name} passes row-level security", mend)
    if row["gateway"] and row["worker"]:
        mend = f"REVOKE checkrein_worker FROM {name};"
        return Finding("postgres role", "failed", f"{name} is gateway and worker at once", mend)
    if not (row["gateway"] or row["worker"]):
        mend = f"GRANT checkrein_gateway TO {name};"
        return Finding("postgres role", "note", f"{name} is neither gateway nor worker", mend)
    kind = "gateway" if row["gateway"] else "worker"
    return Finding("postgres role", "ok", f"{name} is a {kind}")


def _clock(what: str, theirs: float) -> Finding:
    """How far a server's clock is from this one; leases and windows rest on them."""
    apart = abs(time.time() - theirs)
    said = f"{apart * 1000:.0f} ms from this machine's"
    if apart >= CLOCK_FAILED:
        return Finding(what, "failed", said, "timedatectl set-ntp true, on both machines")
    return Finding(what, "note" if apart >= CLOCK_NOTE else "ok", said)
