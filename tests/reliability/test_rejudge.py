"""R1: a recorded decision, judged again elsewhere and in another year, comes out to the byte."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tests.reliability import folders
from tests.reliability.process import ROOT, GatewayProcess, environ, make_key, until
from tests.reliability.record import query
from tests.reliability.threads import together
from tests.reliability.traffic import Traffic
from tests.reliability.wire import Wire

DECISIONS = 2_000
ENVIRONMENTS = ("production", "production", "staging", "development")
# No zone file is needed for a zone that is spelled out.
ELSEWHERE = {
    "TZ": "LINT-14",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
    "PYTHONHASHSEED": "4711",
}


def test_two_thousand_decisions_judged_again_come_out_to_the_byte(gateway, tmp_path):
    """R1, S1-23: six verdicts, rounds of modification, failures of the engine, two policy versions,
    three modes, odd texts and numbers; judged again from the ledger alone, in a process with
    another time zone, locale, hash seed and date."""
    policies = folders.shipped_and(tmp_path / "policies", folders.PROOFS)
    running = gateway(policies=policies).start()
    keys = {"production": running.key}
    keys |= {name: make_key(running, name) for name in ("staging", "development")}
    half = DECISIONS // len(ENVIRONMENTS) // 2

    _decide(running, keys, half, "first")
    _change_limits(running, policies)
    _decide(running, keys, half, "second")
    _fail(running)
    assert running.stop() == 0

    told = _judged_again(running.data)
    assert told["diverging"] == []
    assert told["judged"] == _decisions(running.data) >= DECISIONS
    every = {"allow", "warn", "modify", "require_approval", "block", "halt"}
    assert set(told["verdicts"]) == every
    assert min(told["verdicts"].values()) > 10
    assert told["two_rounds"] > 50
    assert told["with_failures"] > 5
    assert told["policies"] == 2
    # The child was where it was meant to be.
    assert (told["zone"], told["year"], told["hash_seed"]) == ("LINT", 2041, "4711")


def _decide(running: GatewayProcess, keys: dict[str, str], count: int, seed: str) -> None:
    def agent(number: int, environment: str) -> None:
        traffic = Traffic(f"{seed} {number}")
        wire = Wire(running.port, keys[environment])
        for _ in range(count):
            reply = wire.check(**traffic.check())
            assert reply.status == 200, reply.body
        wire.close()

    together([partial(agent, number, name) for number, name in enumerate(ENVIRONMENTS)])


def _change_limits(running: GatewayProcess, policies: Path) -> None:
    """Another policy version: more payments need an approval."""
    wire = Wire(running.port, running.key)
    before = wire.get("/v1/policies/active").json["digest"]
    manifest = policies / "policy.yaml"
    text = manifest.read_text().replace("denials: {warn: 2", "denials: {warn: 1")
    manifest.write_text(text)
    until(lambda: wire.get("/v1/policies/active").json["digest"] != before, 30, "the new policy")
    wire.close()


def _fail(running: GatewayProcess) -> None:
    """Two rules of three fail: by their own error, and by taking all the time there is."""
    wire = Wire(running.port, running.key)
    for tool in ("proof.fails", "proof.endless") * 3:
        reply = wire.check(action={"tool": tool, "arguments": {"text": "zz", "effect": "warn"}})
        assert reply.json["verdict"] == "block", reply.body
        assert len(reply.json["degraded"]) == 1
    wire.close()


def _judged_again(data: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.rejudge_child", str(data)],
        cwd=ROOT,
        env={**environ({}), **ELSEWHERE},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=dict[str, Any])


def _decisions(data: Path) -> int:
    counted = "SELECT count(*) FROM event WHERE type = 'decision'"
    return int(query(data / "ledger.db", counted)[0][0])
