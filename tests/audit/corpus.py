"""Exports that a release wrote, kept as files, so that every later one is held to verifying them.

    keys.pem       the public keys: one that was compromised later, and the one after it
    policy/        the policy folder under which everything in them was decided
    *.zip          exports, from before and after the key was replaced, and of an erased run
    verified.json  what that release's verification said of each

`python -m tests.audit.corpus FOLDER` makes one.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.ambient import SystemAmbient
from gateway.audit.bundle import checking, container
from gateway.audit.bundle.assembling import Opening
from gateway.audit.bundle.names import OPENINGS, REPLAY, blob
from gateway.audit.signing import ed25519
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from gateway.domain import content, projections
from gateway.domain.events import DecisionBody, Event
from gateway.domain.rule_results import Round
from gateway.replay.rejudge import RecordedDecision
from tests.api.live import Live, live_gateway
from tests.reliability.folders import CHANGES, SAYS

# When a key was compromised that signed what is here.
COMPROMISED_AT = "2100-01-01T00:00:00Z"
POLICY = """
environments:
  production:
    mode: block
    defaults: {delete: block, payment: require_approval, "*": allow}
tools:
  - {match: "files.*", side_effects: [read]}
  - {match: "db.drop", side_effects: [delete]}
  - match: "stripe.*"
    side_effects: [payment]
    amount: {pointer: /amount, unit: minor, currency: USD}
"""
CHECKS: tuple[dict[str, Any], ...] = (
    {"tool": "files.read", "arguments": {"path": "Grüße/\u2028😀.txt"}},
    {"tool": "db.drop", "arguments": {"table": "users"}},
    {"tool": "stripe.refund", "arguments": {"amount": 450000, "currency": "USD"}},
    {"tool": "proof.ask", "arguments": {"effect": "warn", "about": "a budget"}},
    {"tool": "proof.resize", "arguments": {"width": 40, "height": 1.5e3}},
    {"tool": "proof.ask", "arguments": {"effect": "block"}},
)
EVENTS: tuple[dict[str, Any], ...] = (
    {"type": "model_call", "provider": "anthropic", "id": "claude", "answer": "I will."},
    {"type": "artifact", "name": "report.md", "digest": "sha256:" + "7f" * 32, "size": 12},
    {"type": "verification", "name": "tests", "status": "passed", "output": "4 passed"},
)


def make(folder: Path) -> None:
    """Make a corpus of the release that this is."""
    policy = folder / "policy"
    (policy / "rules").mkdir(parents=True)
    (policy / "policy.yaml").write_text(POLICY)
    (policy / "rules" / "says.rego").write_text(SAYS)
    (policy / "rules" / "changes.rego").write_text(CHANGES)
    with (
        tempfile.TemporaryDirectory() as scratch,
        live_gateway(Path(scratch), policies=policy) as live,
    ):
        _fill(folder, live)


def decisions(files: dict[str, bytes]) -> Iterator[RecordedDecision]:
    """What an export shows of the decisions in it, as a ledger would give them."""
    parts: dict[tuple[int, int], dict[str, bytes]] = {}
    for line in files[OPENINGS].splitlines():
        opening = msgspec.json.decode(line, type=Opening)
        parts.setdefault((opening.epoch, opening.seq), {})[opening.part] = files[
            blob(opening.sha256)
        ]
    for line in files[REPLAY].splitlines():
        event = msgspec.json.decode(line, type=Event)
        body = projections.open_body(event)
        shown = content.join(parts.get((event.epoch, event.seq), {}))
        if isinstance(body, DecisionBody) and shown:
            rounds = msgspec.json.decode(shown["rounds"], type=tuple[Round, ...])
            yield RecordedDecision(body, shown["frame"], rounds, shown["decision"])


def _fill(folder: Path, live: Live) -> None:
    parts, ambient = live.gateway.parts, SystemAmbient()
    keys = SigningKeys(parts.control, parts.keyring.derived(PURPOSE))
    first = live.run(keys.create(ambient))
    for run_id in ("whole", "erased"):
        _run(live, run_id)
    _write(folder, "whole", live, "whole")
    _write(folder, "evidence-alone", live, "whole", content="false")
    with live.client("admin") as client:
        body = {"what": "run", "id": "erased", "confirm": True}
        client.post("/v1/erasures", json=body).raise_for_status()
    _write(folder, "erased", live, "erased")
    second = live.run(keys.rotate(ambient))
    _write(folder, "under-the-next-key", live, "whole")
    said = ed25519.statement(first.key_id, COMPROMISED_AT)
    pem = said + "".join(ed25519.pem(key.public) for key in (first, second))
    (folder / "keys.pem").write_text(pem)
    verified = {path.stem: verify(folder, path) for path in sorted(folder.glob("*.zip"))}
    (folder / "verified.json").write_text(json.dumps(verified, indent=1, sort_keys=True) + "\n")


def verify(folder: Path, path: Path) -> Any:
    """What verification says of an export of this corpus."""
    pem = (folder / "keys.pem").read_bytes()
    since = ed25519.compromised(pem)
    checked = checking.check_zip(path.read_bytes(), ed25519.from_pem(pem), compromised=since)
    return msgspec.json.decode(msgspec.json.encode(checked))


def _run(live: Live, run_id: str) -> None:
    run = {"id": run_id, "name": f"run {run_id}", "user_id": "u_1", "agent_id": "bot"}
    with live.client() as client:
        for action in CHECKS:
            body = {"run": run, "action": action}
            reply = client.post("/v1/check-action", json=body).raise_for_status().json()
            if reply["enforced"] in ("allow", "warn"):
                path = f"/v1/decisions/{reply['decision_id']}/result"
                result = {"status": "succeeded", "output": {"done": True}}
                client.post(path, json=result).raise_for_status()
        said: dict[str, Any] = {"run": run, "events": list(EVENTS)}
        client.post("/v1/events", json=said).raise_for_status()
        end = {"status": "succeeded"}
        client.post(f"/v1/runs/{run_id}/end", json=end).raise_for_status()


def _write(folder: Path, name: str, live: Live, run_id: str, **query: str) -> None:
    with live.client() as client:
        answered = client.get(f"/v1/runs/{run_id}/export", params=query).raise_for_status()
    data = base64.b64decode(answered.json()["zip"])
    container.unzipped(data)
    (folder / f"{name}.zip").write_bytes(data)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
