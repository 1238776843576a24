"""D9: a policy changes whole or not at all, and every decision names the one that made it."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.reliability import folders
from tests.reliability.process import GatewayProcess, until
from tests.reliability.threads import meanwhile
from tests.reliability.versions import BROKEN, DIGESTS, EFFECTS, VERSIONS, author, flip
from tests.reliability.wire import Wire

FLIPS = 50
CLIENTS = 4
POLL_SECONDS = 0.05


def test_every_answer_is_that_of_the_policy_it_names(gateway, tmp_path):
    """D9: fifty times between two policies that contradict each other, by exchanging the folder and
    by writing over its files one after the other, under load. Verdicts, reasons, data and patches
    of an answer are always of the one version that the answer names."""
    link = tmp_path / "policies"
    link.symlink_to(folders.write(tmp_path / "first", VERSIONS["one"]))
    running = _gateway(gateway, link).start()
    answers: Counter[tuple[str, str]] = Counter()
    names = itertools.cycle(["other", "one"])

    clients = [lambda ended: _ask(running, answers, ended)] * CLIENTS
    with meanwhile(*clients):
        for number in range(FLIPS):
            name = next(names)
            flip(link, name, tmp_path / f"folder {number}")
            _until_active(running, name)

    assert {name for name, _ in answers} == {"one", "other"}
    assert min(answers.values()) > FLIPS
    wire = Wire(running.port, running.key)
    kept = {each["digest"] for each in wire.get("/v1/policies/versions").json["versions"]}
    wire.close()
    assert kept == set(DIGESTS)


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_broken_folder_never_becomes_active_and_says_why(flaw, gateway, tmp_path):
    """D9, E4: the old policy goes on judging, the gateway stays ready, and the refusal can be read;
    mended, the folder is taken again."""
    path, text = BROKEN[flaw]
    policies = folders.write(tmp_path / "policies", VERSIONS["one"])
    running = _gateway(gateway, policies).start()
    wire = Wire(running.port, running.key)
    answers: Counter[tuple[str, str]] = Counter()

    with meanwhile(lambda ended: _ask(running, answers, ended)):
        folders.write(policies, {path: text})
        until(lambda: wire.get("/v1/policies/active").json["refused"] is not None, 20, "a refusal")
        active = wire.get("/v1/policies/active").json
        ready = wire.get("/readyz")
        _asked_of(wire, "one")
        (policies / path).unlink()
        folders.write(policies, VERSIONS["other"])
        _until_active(running, "other")

    assert DIGESTS[active["digest"]] == "one"
    assert path in active["refused"]["findings"][0]
    assert (ready.status, DIGESTS[ready.json["policy"]]) == (200, "one")
    assert wire.get("/v1/policies/active").json["refused"] is None
    assert {name for name, _ in answers} <= set(EFFECTS)
    wire.close()


def test_a_gateway_that_starts_on_a_broken_folder_waits_until_it_is_mended(gateway, tmp_path):
    """D9, E4: without any policy nothing is decided: not ready, and 503 for every check."""
    policies = folders.write(tmp_path / "policies", {"policy.yaml": "environments: nonsense\n"})
    running = _gateway(gateway, policies).start()
    wire = Wire(running.port, running.key)

    for reply in (wire.get("/readyz"), wire.check(action={"tool": "flip.say"})):
        assert (reply.status, reply.json["code"]) == (503, "policy_unavailable")
        assert int(reply.headers["retry-after"]) > 0
    assert "policy.yaml" in wire.get("/readyz").json["detail"]
    assert wire.get("/livez").status == 200

    folders.write(policies, VERSIONS["one"])
    until(lambda: wire.get("/readyz").status == 200, 20, "ready")
    _asked_of(wire, "one")
    wire.close()


def _gateway(gateway, policies: Path) -> GatewayProcess:
    made: GatewayProcess = gateway(policies=policies, policy_poll_seconds=POLL_SECONDS)
    return made


def _until_active(running: GatewayProcess, name: str) -> None:
    wire = Wire(running.port, running.key)

    def active() -> bool:
        return DIGESTS[wire.get("/v1/policies/active").json["digest"]] == name

    until(active, 20, f"{name} is active")
    wire.close()


def _ask(
    running: GatewayProcess, answers: Counter[tuple[str, str]], ended: threading.Event
) -> None:
    wire = Wire(running.port, running.key)
    while not ended.is_set():
        for tool in ("flip.say", "flip.change"):
            reply = wire.check(action={"tool": tool, "arguments": {"a": 1}})
            answers[author(reply, tool), tool] += 1
    wire.close()


def _asked_of(wire: Wire, name: str) -> None:
    for tool in ("flip.say", "flip.change"):
        assert author(wire.check(action={"tool": tool, "arguments": {"a": 1}}), tool) == name
