"""The production part: gateway, worker, Redis, PostgreSQL and generator share the machine.

Beside it, in the same run, what other servers take for the same three rules.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from benchmarks import beside, body, growth, policy
from benchmarks.drained import drained
from benchmarks.installation import Installation
from benchmarks.machine import say
from benchmarks.measuring import COUNTS, floors, loads, warm
from benchmarks.processes import Server, cpu_of_all
from benchmarks.production_table import RATE, table
from benchmarks.saturate import saturate
from benchmarks.steady import steady
from tests.servers import opa
from tests.servers.production import production

__all__ = ["measure", "table"]


def measure(seconds: int) -> dict[str, Any]:
    """Everything that the table tells."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        hundred = policy.write(base / "hundred", 100)
        say("floor, 1 and 16 connections")
        found["floor"] = floors(seconds)
        with production() as servers:
            installation = Installation(servers)
            with installation.worker():
                found |= _checks(installation, hundred, seconds)
                found["check_opa"] = _with_opa(installation, hundred, seconds)
                found["many_rules"] = _many_rules(installation, hundred, base)
            say("one worker drains what has queued, then two")
            with installation.gateway(hundred) as server:
                found["drain"] = {count: drained(installation, server, count) for count in (1, 2)}
        found["opa"] = _opa(hundred, seconds)
        found["cerbos"] = _cerbos(base, seconds)
    return found


def _checks(installation: Installation, policies: Path, seconds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with installation.gateway(policies) as server:
        warm(server)
        say("whole check, 1 and 16 connections")
        found["check"] = loads(server, seconds, partial(installation.cpu, server))
        say(f"a steady {RATE} a second")
        found["steady"] = asdict(steady(server, body.check(), RATE, 2 + seconds * 2))
        say("a run of 10,000 events beside an empty one")
        found["long_run"] = growth.long_run(server)
    return found


def _with_opa(installation: Installation, policies: Path, seconds: int) -> dict[int, Any]:
    say("the same, with OPA as the engine")
    with (
        opa.running() as evaluator,
        installation.gateway(policies, opa_url=evaluator.url) as server,
    ):
        installation.opa_pid = evaluator.pid
        warm(server)
        try:
            return loads(server, seconds, partial(installation.cpu, server))
        finally:
            installation.opa_pid = None


def _many_rules(installation: Installation, hundred: Path, base: Path) -> dict[str, Any]:
    say("2,000 rules for other tools beside 100")
    thousands = policy.write(base / "thousands", 2_000)
    with installation.gateway(hundred) as small, installation.gateway(thousands) as large:
        return growth.between(small, large)


def _opa(policies: Path, seconds: int) -> dict[int, Any]:
    say("a bare OPA server")
    with beside.opa_server(policies) as server:
        return _bare(server, beside.OPA_PATH, beside.opa_body(), seconds)


def _cerbos(base: Path, seconds: int) -> dict[int, Any] | None:
    binary = beside.cerbos_binary()
    if binary is None:
        return None
    say("a Cerbos server")
    with beside.cerbos_server(binary, base / "cerbos") as server:
        return _bare(server, beside.CERBOS_PATH, beside.cerbos_body(), seconds)


def _bare(server: Server, path: str, data: bytes, seconds: int) -> dict[int, Any]:
    """One server by itself at each number of connections."""
    saturate(server, path, data, 4, 2)
    found = {}
    for count in COUNTS:
        before = cpu_of_all(server.pid)
        load = saturate(server, path, data, count, seconds)
        spent = 1000 * (cpu_of_all(server.pid) - before) / load.requests
        found[count] = {**asdict(load), "cpu_ms": {"server": spent}}
    return found
