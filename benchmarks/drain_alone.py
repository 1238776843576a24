"""The worker alone: the same events are drained again and again, without any traffic beside it.

python -m benchmarks.drain_alone [--beside FOLDER] [--events N] [--rounds N] [--workers N]

`--beside` names another checkout, whose worker takes turns with this one's: on a machine with other
work only figures from one run can be compared, and of these the CPU rather than the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import body, policy
from benchmarks.installation import QUIET, Installation
from benchmarks.measuring import PATH
from benchmarks.processes import cpu_of_all, first_line, running
from benchmarks.saturate import need_wrk, saturate
from gateway.storage.server.redis.journal import NAMESPACE
from gateway.storage.server.redis.keys import PARTITIONS, Places
from tests.servers.production import Production, production

EMPTY = """
    TRUNCATE checkrein.event, checkrein.blob, checkrein.run_secret, checkrein.run,
        checkrein.action, checkrein.approval, checkrein.leaves, checkrein.run_fact,
        checkrein.run_cost, checkrein.artifact
"""
AT_ONCE = 200
POLL_SECONDS = 0.05
GUARD_SECONDS = 300

Log = list[tuple[bytes, dict[bytes, bytes]]]


def main() -> None:
    """Fill once, drain in turns, print a line for each turn."""
    options = _options()
    need_wrk()
    folders = [Path(__file__).parent.parent, *([options.beside] if options.beside else [])]
    with tempfile.TemporaryDirectory() as folder, production() as servers:
        hundred = policy.write(Path(folder) / "hundred", 100)
        installation = Installation(servers)
        with installation.gateway(hundred) as server:
            while installation.waiting() < options.events:
                saturate(server, PATH, body.check(), 16, 2)
        logs = _logs(servers)
        for turn in range(options.rounds * len(folders)):
            _refill(servers, logs)
            checkout = folders[turn % len(folders)]
            print(checkout, _drained(installation, servers, checkout, options.workers), flush=True)


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="benchmarks.drain_alone", description=__doc__)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def _logs(servers: Production) -> dict[bytes, Log]:
    """Everything that waits, by the log of its partition."""
    with servers.redis.client() as client:
        logs = [partition.log for partition in Places(NAMESPACE, PARTITIONS).partitions]
        return {log: client.xrange(log) for log in logs}


def _refill(servers: Production, logs: dict[bytes, Log]) -> None:
    """The journal as it was filled, and a ledger without any run."""
    asyncio.run(_empty(servers))
    with servers.redis.client() as client:
        for log, entries in logs.items():
            client.delete(log)
            for start in range(0, len(entries), AT_ONCE):
                asked = client.pipeline(transaction=False)
                for entry, fields in entries[start : start + AT_ONCE]:
                    asked.xadd(log, fields, id=entry)
                asked.execute()


async def _empty(servers: Production) -> None:
    connection = await asyncpg.connect(servers.postgres.url(servers.database, "postgres"))
    await connection.execute(EMPTY)
    await connection.execute("CHECKPOINT")
    await connection.close()


def _drained(
    installation: Installation, servers: Production, checkout: Path, workers: int
) -> dict[str, float]:
    """A second, and CPU milliseconds an event by part."""
    command = [sys.executable, "-m", "gateway.cli", "work", "--json", "--metrics-port", "0"]
    environ = {**servers.environ("worker"), **QUIET, "PYTHONPATH": str(checkout)}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(command, stdout=subprocess.PIPE, env=environ))
            for _ in range(workers)
        ]
        pids = {"redis": [servers.redis.pid], "postgres": [servers.postgres.pid]}
        pids["worker"] = [process.pid for process in processes]
        before = {part: sum(map(cpu_of_all, members)) for part, members in pids.items()}
        waiting, begun = installation.waiting(), time.perf_counter()
        for process in processes:
            first_line(process)
        started = sum(map(cpu_of_all, pids["worker"]))
        before["worker"] = started
        while installation.waiting():
            if time.perf_counter() - begun > GUARD_SECONDS:
                raise SystemExit("the workers do not drain the journal")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - begun
        after = {part: sum(map(cpu_of_all, members)) for part, members in pids.items()}
    spent = {part: 1000 * (after[part] - before[part]) / waiting for part in after}
    figures = {"rate": waiting / seconds, "load": os.getloadavg()[0], **spent}
    return {name: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
