"""Gateways beside each other on one installation, each a process of its own."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.reliability import folders
from tests.reliability.process import COMMAND, ROOT, GatewayProcess, until
from tests.reliability.wire import Wire
from tests.servers.production import Production

# One call a day, for each user.
LIMIT = (
    "      - {name: user_day_calls, scope: user, window: day, measure: calls, at_most: 1, "
    "tools: [limited.*]}\n"
)


class Served(GatewayProcess):
    """`checkrein serve`, on the servers of an installation."""

    def command(self) -> list[str]:
        where = ["--port", str(self.port), "--metrics-port", "0"]
        return [COMMAND, "serve", "--json", *where]


class Key(Struct, frozen=True):
    """An API key: its text, and the id by which it is revoked."""

    text: str
    id: str


class Installation(Struct, frozen=True):
    """Servers with a worker, and a folder for what gateways keep of their own."""

    production: Production
    folder: Path

    def gateway(self, name: str, policies: Path, **settings: object) -> Served:
        """A gateway that is not started yet; its spool is its own."""
        data = self.folder / name
        data.mkdir()
        shared = self.production.environ()
        settings = {
            "redis_url": shared["CHECKREIN_REDIS_URL"],
            "database_url": shared["CHECKREIN_DATABASE_URL"],
            "master_key_file": shared["CHECKREIN_MASTER_KEY_FILE"],
            "policies": policies,
            **settings,
        }
        made = Served(data, **settings)
        made.variables = {"CHECKREIN_DATA": str(data)}
        return made

    def checkrein(self, *words: str, role: str = "gateway") -> Any:
        """What a command answers, on these servers."""
        done = subprocess.run(
            [COMMAND, *words, "--json"],
            capture_output=True,
            check=False,
            cwd=ROOT,
            env=self.production.environ(role),
            timeout=120,
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
        return json.loads(done.stdout)

    def key(self, environment: str = "production") -> Key:
        made = self.checkrein("keys", "create", "--environment", environment)
        return Key(made["api_key"], made["id"])


def policies_in(folder: Path) -> Path:
    """The shipped policies with rules that say what a call asks for, and a budget of one call."""
    made = folders.shipped_and(folder, folders.PROOFS)
    manifest = made / "policy.yaml"
    text = manifest.read_text("utf-8")
    begin = "    budgets: &budgets\n"
    assert begin in text
    manifest.write_text(text.replace(begin, begin + LIMIT))
    return made


def knows(gateway: GatewayProcess, *keys: Key) -> None:
    """Wait until the gateway has learned of these keys."""
    for key in keys:
        wire = Wire(gateway.port, key.text)
        until(partial(_works, wire), 30, "the new key is known")
        wire.close()


def _works(wire: Wire) -> bool:
    return wire.get("/v1/policies/active").status == 200
