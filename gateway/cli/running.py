"""What the doctor looks at in a policy, in an evaluator, and in a gateway that runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli import client
from gateway.cli.failures import ABSENT, Failure
from gateway.cli.findings import Finding
from gateway.cli.folder import in_use, waiting

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.domain.ruleset import Ruleset

WAITING_MAX = 10_000


def policy(folder: Path) -> Iterator[Finding]:
    """Whether the policy loads, and an evaluator starts with it."""
    from gateway.policies.check import check

    if not folder.is_dir():
        yield Finding("policy", "skipped", f"{folder} does not exist yet", "checkrein up")
        return
    report = check(folder)
    if report.ruleset is None:
        first = report.errors[0]
        yield Finding("policy", "failed", f"{first}", f"checkrein policy check {folder}")
        return
    yield Finding("policy", "ok", f"{len(report.ruleset.rules)} rules in {folder}")
    yield _evaluator(report.ruleset)


def gateway(settings: Settings) -> Iterator[Finding]:
    """Whether a gateway answers, decides, keeps up, and takes the key that is set."""
    ready, said = _ready()
    if ready is not None and said is None:
        yield Finding("gateway", "ok", f"{client.url()} decides by policy {ready['policy'][:12]}")
        yield _lag(int(ready["waiting"]))
    elif "CHECKREIN_URL" in os.environ or (not settings.on_servers and in_use(Path(settings.data))):
        yield Finding("gateway", "failed", said or "", "checkrein up, or set CHECKREIN_URL")
    else:
        yield _none_runs(settings)
    yield _port(settings, answered=ready is not None)
    yield _key() if ready else Finding("API key", "skipped", "there is no gateway to ask")


def _none_runs(settings: Settings) -> Finding:
    if settings.on_servers:
        return Finding("gateway", "skipped", f"none answers at {client.url()}", "checkrein serve")
    left = waiting(Path(settings.data))
    reason = f"none runs on this data folder; {left:,} events wait for the record"
    return Finding("gateway", "skipped", reason, "checkrein up")


def _evaluator(ruleset: Ruleset) -> Finding:
    import asyncio

    from gateway.engines.embedded.engine import EmbeddedEngine
    from gateway.errors import CheckreinError

    async def start() -> None:
        engine = EmbeddedEngine()
        try:
            await engine.load(ruleset)
        finally:
            await engine.close()

    try:
        asyncio.run(start())
    except CheckreinError as error:
        mend = "pip install --force-reinstall gordon-to-regorus"
        return Finding("evaluator", "failed", f"it does not start: {error}", mend)
    return Finding("evaluator", "ok", "starts and compiles the policy")


def _ready() -> tuple[dict[str, Any] | None, str | None]:
    """What `/readyz` says, or why there is no good answer."""
    import httpx2

    try:
        with httpx2.Client(timeout=2.0, trust_env=False) as asked:
            reply = asked.get(f"{client.url()}/readyz")
        document = reply.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return None, f"nothing answers at {client.url()}: {error}"
    if not isinstance(document, dict):
        return None, f"{client.url()} is not a gateway"
    if reply.status_code != 200:
        return document, f"it does not decide: {document.get('detail', reply.status_code)}"
    if "policy" not in document:
        return None, f"{client.url()} is not a gateway"
    return document, None


def _lag(waiting: int) -> Finding:
    if waiting > WAITING_MAX:
        reason = f"{waiting:,} events wait for the record"
        return Finding("worker", "failed", reason, "restart the gateway, and see its log")
    return Finding("worker", "ok", f"{waiting:,} events wait for the record")


def _port(settings: Settings, *, answered: bool) -> Finding:
    place = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((settings.host, settings.port))
        except OSError as error:
            if answered and client.url().endswith(f":{settings.port}"):
                return Finding("port", "ok", f"{place} is the gateway's")
            reason = f"{place} cannot be used: {error.strerror}"
            return Finding("port", "failed", reason, "checkrein up --port 0")
    return Finding("port", "ok", f"{place} is free")


def _key() -> Finding:
    if not os.environ.get("CHECKREIN_API_KEY"):
        mend = "export CHECKREIN_API_KEY=..., or checkrein keys create"
        return Finding("API key", "skipped", "CHECKREIN_API_KEY is not set", mend)
    try:
        client.from_environment().get("/v1/runs", {"limit": 1})
    except Failure as failure:
        if failure.code == ABSENT or "(403)" in failure.message:
            return Finding("API key", "ok", "accepted, without the scope to read")
        return Finding("API key", "failed", failure.message, failure.next_step)
    return Finding("API key", "ok", "accepted")
