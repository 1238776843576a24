"""The commands on Redis and PostgreSQL: `serve`, `work`, `migrate`, `keys`, `verify`, `doctor`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cli.commands import CHECKREIN, Done, checkrein, eventually
from tests.cli.conftest import CHARGE
from tests.servers.production import Production, production

POLICY = "environments:\n  production: {mode: block}\n"


@pytest.fixture(scope="module")
def installation() -> Iterator[Production]:
    with production() as made:
        yield made


def on(
    installation: Production, *arguments: str | Path, role: str = "gateway", **more: str
) -> Done:
    """A command as one of the database's users."""
    environ = installation.environ(role) | {"CHECKREIN_PORT": "0"} | more
    return checkrein(*arguments, cwd=installation.folder, environ=environ)


def findings(installation: Production, role: str = "gateway", **more: str) -> dict[str, Any]:
    """What the doctor says, by what it is about."""
    done = on(installation, "doctor", "--json", role=role, **more)
    return {each["what"]: each for each in done.json}


@contextlib.contextmanager
def started(installation: Production, role: str, *command: str) -> Iterator[dict[str, Any]]:
    """A gateway or a worker until the block ends; what it says when it is ready."""
    process = subprocess.Popen(
        [*CHECKREIN, *command, "--json"],
        env=installation.environ(role),
        cwd=installation.folder,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        yield ready
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("command", ["serve", "work", "migrate"])
def test_without_servers_a_command_names_the_variable_to_set(command, tmp_path):
    done = checkrein(command, "--json", cwd=tmp_path)

    assert done.code == 2
    assert "CHECKREIN_DATABASE_URL" in done.json["error"]
    assert done.json["next"].startswith("export CHECKREIN_DATABASE_URL=")


def test_without_a_master_key_nothing_is_served(installation, tmp_path):
    """A key of one's own would seal what no other gateway can open."""
    environ = installation.environ()
    del environ["CHECKREIN_MASTER_KEY_FILE"]
    done = checkrein("work", "--json", cwd=tmp_path, environ=environ)

    assert done.code == 2
    assert "CHECKREIN_MASTER_KEY_FILE" in done.json["error"]


def test_a_decision_goes_from_the_gateway_through_the_worker_into_the_record(installation):
    """And every command sees it, each as the user who may."""
    (installation.folder / "rules").mkdir()
    (installation.folder / "rules" / "policy.yaml").write_text(POLICY)
    key = on(installation, "keys", "create", "--environment", "production", "--json").json
    serve = ("serve", "--port", "0", "--metrics-port", "0", "--policies", "rules")
    with (
        started(installation, "worker", "work", "--metrics-port", "0") as worker,
        started(installation, "gateway", *serve) as gateway,
    ):
        with httpx2.Client(
            base_url=gateway["url"],
            headers={"authorization": f"Bearer {key['api_key']}"},
            trust_env=False,
            timeout=30,
        ) as client:
            reply = client.post("/v1/check-action", json={**CHARGE, "run": {"id": "seen"}})
            assert reply.status_code == 200, reply.text
            assert reply.json()["durability"] == "fsync"
            eventually(lambda: client.get("/v1/runs/seen").status_code == 200)
        with urllib.request.urlopen(worker["metrics_url"]) as metrics:
            assert b"checkrein_journal" in metrics.read()
    runs = on(installation, "runs", "list", "--json").json
    frames = on(installation, "replay", runs[0]["run_id"], "--json").json
    verified = on(installation, "verify", "--json", role="worker").json
    revoked = on(installation, "keys", "revoke", key["id"], "--json")

    assert gateway["api_key"] is None
    assert [frame["type"] for frame in frames["frames"]] == ["run_started", "decision"]
    assert (verified["ok"], verified["runs"]) == (True, 1)
    assert revoked.code == 0


def test_verify_is_for_the_user_who_sees_all_projects(installation):
    done = on(installation, "verify", "--json", role="gateway")

    assert done.code == 1
    assert "checkrein_worker" in done.json["error"]


def test_migrate_says_what_it_would_do_does_it_and_has_nothing_left(installation):
    url = installation.postgres.url("empty", "checkrein_owner")
    environ = {"CHECKREIN_DATABASE_URL": url}

    before = on(installation, "migrate", "--check", "--json", **environ)
    planned = on(installation, "migrate", "--plan", "--json", **environ).json["pending"]
    applied = on(installation, "migrate", "--json", **environ).json["applied"]
    after = on(installation, "migrate", "--check", "--json", **environ)

    assert (before.code, before.json["state"]) == (1, "behind")
    assert planned == applied != []
    assert (after.code, after.json["state"]) == (0, "current")
    assert on(installation, "migrate", "--json", **environ).json["applied"] == []


def test_a_healthy_installation_has_no_finding(installation):
    found = findings(installation)

    assert {each["state"] for each in found.values()} <= {"ok", "note", "skipped"}
    wanted = {"redis", "redis appendfsync", "redis maxmemory-policy", "redis clock"}
    wanted |= {"postgres", "postgres fsync", "postgres role", "postgres schema", "postgres clock"}
    assert {name for name in wanted if found[name]["state"] == "ok"} == wanted
    assert "journal.db" not in found


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("appendfsync", "everysec", "always"),
        ("appendonly", "no", "yes"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
    ],
)
def test_a_redis_that_would_lose_what_it_acknowledged_is_found(installation, name, bad, good):
    with installation.redis.client() as client:
        client.config_set(name, bad)
        try:
            found = findings(installation)[f"redis {name}"]
        finally:
            client.config_set(name, good)

    assert found["state"] == "failed"
    assert found["mend"] == f"redis-cli CONFIG SET {name} {good}"


def test_a_database_user_that_passes_row_level_security_is_found(installation):
    found = findings(
        installation, CHECKREIN_DATABASE_URL=installation.postgres.url("migrated", "postgres")
    )

    assert found["postgres role"]["state"] == "failed"
    assert "NOSUPERUSER" in found["postgres role"]["mend"]


def test_a_database_whose_commits_do_not_wait_for_the_disk_is_found(installation):
    async def alter(value: str) -> None:
        async with installation.postgres.superuser() as connection:
            await connection.execute(
                f"ALTER ROLE checkrein_gateway SET synchronous_commit = '{value}'"
            )

    asyncio.run(alter("off"))
    try:
        found = findings(installation)["postgres synchronous_commit"]
    finally:
        asyncio.run(alter("on"))

    assert found["state"] == "failed"
    assert "ALTER SYSTEM SET synchronous_commit" in found["mend"]


def test_servers_that_do_not_answer_are_found_with_the_variable_that_names_them(installation):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
    found = findings(
        installation,
        CHECKREIN_REDIS_URL=f"redis://{nowhere}",
        CHECKREIN_DATABASE_URL=f"postgresql://checkrein_gateway@{nowhere}/migrated",
        CHECKREIN_OPA_URL=f"http://{nowhere}",
    )

    for what, variable in (("redis", "REDIS"), ("postgres", "DATABASE"), ("opa", "OPA")):
        assert found[what]["state"] == "failed"
        assert f"CHECKREIN_{variable}_URL" in found[what]["mend"]


def test_the_six_simulations_go_the_same_way_on_servers(installation):
    """`make demo-production`."""
    with installation.worker():
        done = on(installation, "demo", "--servers", "--json")

    assert done.code == 0, done.out + done.err
    assert done.json["ok"] is True
