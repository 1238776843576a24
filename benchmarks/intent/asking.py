"""Assessments of many cases: from a running gateway over HTTP, or from the evaluator in process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from benchmarks.intent.data import Case, evidence_of_case
from benchmarks.processes import Server, first_line, running
from gateway.intent import evaluator
from gateway.intent.assessment import Assessment

CONNECTIONS = 4
POLICIES = Path(__file__).parents[2] / "policies"
# A busy machine is no reason to go without an assessment here.
PATIENCE = {"CHECKREIN_INTENT_MS": "2000", "CHECKREIN_LOG_LEVEL": "error"}


def in_process(of: list[Case], model: Path) -> list[Assessment]:
    """Each case through the evaluator, without a gateway."""
    loaded = evaluator.load(f"{model}/")
    return [loaded.assess(evidence_of_case(case)) for case in of]


def over_http(of: list[Case], model: Path) -> list[Assessment]:
    """Each case through a gateway that runs the model in this folder."""
    with tempfile.TemporaryDirectory() as folder, _gateway(Path(folder), model) as server:
        replies = asyncio.run(_ask_all(server, of))
    return [_assessment(reply) for reply in replies]


@contextmanager
def _gateway(folder: Path, model: Path) -> Iterator[Server]:
    command = [
        *(str(Path(sys.executable).with_name("checkrein")), "up", "--json", "--port", "0"),
        *("--metrics-port", "0", "--environment", "development"),
        *("--data", str(folder / "data"), "--policies", str(POLICIES)),
    ]
    environ = {name: text for name, text in os.environ.items() if name[:10] != "CHECKREIN_"}
    environ |= PATIENCE
    environ["CHECKREIN_INTENT_MODEL"] = f"{model.resolve()}/"
    with running(command, stdout=subprocess.PIPE, env=environ) as process:
        ready = first_line(process)
        yield Server(ready["url"], process.pid, ready["api_key"])


async def _ask_all(server: Server, of: list[Case]) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {server.key}"}
    waiting = iter(enumerate(of))
    replies: dict[int, dict[str, Any]] = {}

    async def ask(client: httpx2.AsyncClient) -> None:
        for i, case in waiting:
            reply = await client.post("/v1/check-action", json=body(case))
            if reply.status_code != 200:
                raise SystemExit(f"{case.id} was refused: {reply.status_code} {reply.text}")
            replies[i] = reply.json()

    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=60) as client:
        await asyncio.gather(*(ask(client) for _ in range(CONNECTIONS)))
    return [replies[i] for i in range(len(of))]


def body(case: Case) -> dict[str, Any]:
    """What an agent would send."""
    plan = {"text": case.plan.text, "arguments": case.plan.arguments} if case.plan else None
    return {
        "action": {
            "tool": case.tool.name,
            "arguments": case.arguments,
            "side_effects": [case.tool.side_effect],
            "description": case.tool.description,
            "schema": case.tool.schema,
        },
        "request": {"user": case.user_request, "plan": plan},
        "context": [
            {"text": item.text, "trusted": item.trusted, "source": item.source}
            for item in case.context
        ],
        "history": [{"tool": past.tool, "arguments": past.arguments} for past in case.history],
    }


def _assessment(reply: dict[str, Any]) -> Assessment:
    if "assessment" in reply.get("degraded", ()) or reply.get("assessment") is None:
        raise SystemExit(f"a reply came without an assessment: {reply}")
    return msgspec.convert(reply["assessment"], Assessment, strict=False)
