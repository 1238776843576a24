"""A gateway of its own for the length of a demonstration: a child process in a temporary folder."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from gateway.cli.client import Client
from gateway.cli.failures import FOUND, Failure
from gateway.cli.folder import with_control
from gateway.cli.keys import made
from gateway.cli.settings import chosen, read
from gateway.config import Settings, as_environment
from gateway.policies.shipped import copy_shipped

if TYPE_CHECKING:
    from gateway.wiring.stores import ControlStores

START_SECONDS = 30.0
STOP_SECONDS = 20.0
KEY_SECONDS = 10.0
PR_SET_PDEATHSIG = 1


class Trial(Struct, frozen=True):
    """Where the gateway is, a key for each environment, and its data folder, if it has one."""

    url: str
    keys: dict[str, str]
    data: Path

    def environ(self, environment: str) -> dict[str, str]:
        """What an agent in that environment is started with."""
        return {
            **clean_environ(),
            "CHECKREIN_URL": self.url,
            "CHECKREIN_API_KEY": self.keys[environment],
            "CHECKREIN_ENVIRONMENT": environment,
            # A busy machine is no reason to let a call run unchecked here.
            "CHECKREIN_DEADLINE": "10",
        }


@contextmanager
def trial(environments: tuple[str, ...], *, servers: bool = False) -> Iterator[Trial]:
    """Start it, and stop it whatever happens. Raises Failure when it does not start.

    With `servers` it is a gateway on the Redis and PostgreSQL that the settings name; somebody
    else's worker records what it decides.
    """
    with tempfile.TemporaryDirectory(prefix="checkrein-demo-") as folder:
        base = Path(folder)
        settings, command = _on_servers(base) if servers else _in_folder(base)
        environ = {**clean_environ(), **(as_environment(settings) if servers else {})}
        with (base / "log").open("w+b") as log, _started(command, environ, log) as process:
            url = _url(process, base / "log")
            keys = {name: _key(settings, name) for name in environments}
            for key in keys.values():
                _until_accepted(Client(url, key))
            yield Trial(url, keys, base / "data")


def clean_environ() -> dict[str, str]:
    """The environment without anybody's settings for Checkrein."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHECKREIN_")}


def _in_folder(base: Path) -> tuple[Settings, tuple[str, ...]]:
    """The whole gateway in a folder of its own."""
    data = str(base / "data")
    return chosen(data), ("up", "--data", data, "--port", "0")


def _on_servers(base: Path) -> tuple[Settings, tuple[str, ...]]:
    """A gateway on servers, with the shipped policy."""
    # A busy machine is no reason to judge without the run's state here.
    settings = read(policies=str(base / "policies"), metrics_port=0, redis_seconds=5.0).settings
    copy_shipped(base / "policies")
    return settings, ("serve", "--port", "0")


@contextmanager
def _started(
    command: tuple[str, ...], environ: dict[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        (sys.executable, "-m", "gateway.cli", *command, "--json"),
        env=environ,
        cwd=Path(log.name).parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        # Control-C is for the demonstration, which then stops its gateway in order.
        process_group=0,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads have been started
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _end_with_parent() -> None:
    """However the demonstration ends, its gateway does not stay behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout is not None
    # A gateway that does not start ends, and with it this line.
    timer = time.monotonic() + START_SECONDS
    said = process.stdout.readline()
    try:
        return str(json.loads(said)["url"])
    except (ValueError, KeyError) as error:
        waited = "" if time.monotonic() < timer else " in time"
        text = f"The gateway did not start{waited}:\n{log.read_text('utf-8', 'replace')[-2000:]}"
        raise Failure(text, "checkrein doctor", FOUND) from error


def _key(settings: Settings, environment: str) -> str:
    async def work(stores: ControlStores) -> str:
        text, _ = await made(stores, environment, name="demonstration")
        return text

    return with_control(settings, work)


def _until_accepted(client: Client) -> None:
    """A running gateway reads new keys once a second."""
    last = time.monotonic() + KEY_SECONDS
    while True:
        try:
            client.get("/v1/runs", {"limit": 1})
        except Failure:
            if time.monotonic() > last:
                raise
            time.sleep(0.05)
        else:
            return
