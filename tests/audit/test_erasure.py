"""A6: erased content opens nowhere, no file holds its secret, and every proof still verifies."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from gateway.ambient import SystemAmbient
from gateway.audit.bundle import container
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from gateway.audit.verify import AuditedLedger, verify
from gateway.storage.server.postgres import erasing
from tests.api.live import Live, Servers, json, live_gateway
from tests.servers import postgres, redis

CANARY = "canary-7d1f-erase-me"


def check(live: Live, run_id: str, user: str | None = None, note: str = "") -> Any:
    body = {
        "run": {"id": run_id, **({"user_id": user} if user else {})},
        "action": {"tool": "files.read", "arguments": {"path": f"{CANARY} {note}"}},
    }
    with live.client() as client:
        return {**json(reply := client.post("/v1/check-action", json=body)), "http": reply}


def erase(live: Live, what: str, id: str, *, confirm: bool = True) -> Any:
    with live.client("admin") as client:
        reply = client.post("/v1/erasures", json={"what": what, "id": id, "confirm": confirm})
    return json(reply.raise_for_status())


def frames(live: Live, run_id: str) -> Any:
    with live.client() as client:
        return json(client.get(f"/v1/runs/{run_id}/frames"))["frames"]


def export(live: Live, run_id: str) -> tuple[dict[str, bytes], Any]:
    """The export's files and what its verification says."""
    with live.client() as client:
        made = json(client.get(f"/v1/runs/{run_id}/export"))
        said = json(client.post("/v1/audit/verify", json={"zip": made["zip"]}))
    return container.unzipped(base64.b64decode(made["zip"])), said


def holding(folder: Path, *wanted: bytes) -> list[str]:
    """Files below this folder that hold any of these bytes."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            found += [str(path)] if any(each in data for each in wanted) else []
    return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory):
    with live_gateway(tmp_path_factory.mktemp("erasing")) as live:
        parts = live.gateway.parts
        keys = SigningKeys(parts.control, parts.keyring.derived(PURPOSE))
        live.run(keys.create(SystemAmbient()))
        yield live


def secret_of(live: Live, run_id: str) -> bytes | None:
    parts = live.gateway.parts
    return live.run(parts.ledger.secret(parts.authenticate(_header(live)).project_id, run_id))


def _header(live: Live) -> str:
    return f"Bearer {live.keys['full']}"


def test_an_erased_run_is_ciphertext_and_its_proofs_hold(live: Live, tmp_path_factory):
    run_id = check(live, "gone")["run_id"]
    check(live, "kept")
    before, _ = export(live, run_id)
    wrapped = secret_of(live, run_id)
    assert wrapped is not None
    folder = Path(live.gateway.parts.ledger._path).parent  # type: ignore[attr-defined]
    assert holding(folder, wrapped)

    said = erase(live, "run", "gone", confirm=False)
    still = secret_of(live, run_id)
    done = erase(live, "run", "gone")
    files, verified = export(live, run_id)

    assert (said["done"], said["run_count"], said["runs"]) == (False, 1, [run_id])
    assert (still, secret_of(live, run_id)) == (wrapped, None)
    assert (done["done"], done["remains"]) == (True, [])
    assert holding(folder, wrapped, CANARY.encode()) == []
    assert files["REPLAY.jsonl"] == before["REPLAY.jsonl"]
    assert not [name for name in files if name.startswith("blobs/")]
    assert (verified["ok"], verified["erased"]["what"]) == (True, "run")
    assert all(each["erased"] for each in frames(live, run_id) if each["type"] == "decision")
    assert check(live, "gone")["code"] == "run_erased"
    assert check(live, "kept")["verdict"] == "allow"
    found = live.run(
        verify(
            cast("AuditedLedger", live.gateway.parts.ledger), live.gateway.parts.keyring.run_secret
        )
    )
    assert (found.ok, found.erased) == (True, 1)


def test_an_erased_person_begins_anew_and_others_stay(live: Live):
    first = check(live, "of-ada", "u_ada")["run_id"]
    other = check(live, "of-bob", "u_bob")["run_id"]
    frames(live, first)
    frames(live, other)

    done = erase(live, "subject", "u_ada")
    later = check(live, "of-ada-again", "u_ada")

    assert (done["run_count"], done["runs"]) == (1, [first])
    assert (secret_of(live, first), secret_of(live, other) is None) == (None, False)
    assert check(live, "of-ada", "u_ada")["code"] == "run_erased"
    assert later["verdict"] == "allow"
    assert not any(each["erased"] for each in frames(live, later["run_id"]))


def test_erasing_a_project_names_it(live: Live):
    with live.client("admin") as client:
        wrong = client.post("/v1/erasures", json={"what": "project", "id": "prj_x"})
        unknown = client.post("/v1/erasures", json={"what": "run", "id": "never"})
    with live.client("read") as client:
        refused = client.post("/v1/erasures", json={"what": "run", "id": "kept"})
    project_id = live.gateway.parts.authenticate(_header(live)).project_id
    run_id = check(live, "last")["run_id"]
    frames(live, run_id)

    done = erase(live, "project", project_id)

    assert [wrong.status_code, unknown.status_code, refused.status_code] == [404, 404, 403]
    assert run_id in done["runs"]
    assert check(live, "last")["code"] == "run_erased"
    later = check(live, "first of the new ones")["run_id"]
    assert [each["type"] for each in frames(live, later)] == ["run_started", "decision"]
    assert not any(each["erased"] for each in frames(live, later))


def test_no_file_of_redis_or_postgresql_holds_an_erased_secret(tmp_path: Path):
    """What the owner of the tables has to do is said, and done here as well. The log of writes of
    PostgreSQL is left out: it keeps old rows until its segments are used again, as is said."""
    server = postgres.PostgresServer().start()
    try:
        asyncio.run(server.prepare())
        url = {role: server.url(postgres.TEMPLATE, f"checkrein_{role}") for role in ROLES}
        (tmp_path / "data").mkdir()
        with (
            redis.one(tmp_path / "redis", "--save", "3600 1") as hot,
            live_gateway(
                tmp_path / "data", servers=Servers(hot.url, url["gateway"], url["worker"])
            ) as live,
        ):
            run_id = check(live, "gone")["run_id"]
            check(live, "kept")
            frames(live, run_id)
            wrapped = secret_of(live, run_id)
            assert wrapped is not None
            with hot.client() as client:
                client.save()
            assert holding(hot.folder, wrapped)

            done = erase(live, "run", "gone")
            remains = asyncio.run(erasing.scrub(url["owner"]))
            with_superuser(server)

            assert [each for each in done["remains"] if "Redis" in each] == []
            assert "write-ahead log" in str(done["remains"])
            assert "write-ahead log" in str(remains)
            assert holding(tmp_path, wrapped, CANARY.encode()) == []
            files = holding(server.data, wrapped, CANARY.encode())
            assert [each for each in files if "/pg_wal/" not in each] == []
            assert check(live, "gone")["code"] == "run_erased"
            assert check(live, "kept")["verdict"] == "allow"
            assert all(
                each["erased"] for each in frames(live, run_id) if each["type"] == "decision"
            )
    finally:
        server.remove()


ROLES = ("gateway", "worker", "owner")


def with_superuser(server: postgres.PostgresServer) -> None:
    """The next checkpoint, which comes by itself within minutes."""

    async def checkpoint() -> None:
        connection = await asyncpg.connect(server.url(postgres.TEMPLATE, "postgres"))
        await connection.execute("CHECKPOINT")
        await connection.close()

    asyncio.run(checkpoint())


def test_an_erased_run_that_left_the_hot_store_is_no_new_one(live: Live):
    """Its events are in the ledger: a second beginning would be a second history."""
    run_id = check(live, "idle", "u_idle")["run_id"]
    frames(live, run_id)
    erase(live, "run", "idle")
    parts = live.gateway.parts

    evicted = live.run(parts.journal.evict_idle(parts.ambient.now_ns(), 1000))
    again = check(live, "idle", "u_idle")

    assert evicted > 0
    assert again["code"] == "run_erased"
    assert [each["seq"] for each in frames(live, run_id)] == [1, 2]
