"""D9: a policy changes whole or not at all, and every decision names the one that made it."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from gateway.policies import source
from tests.reliability import folders
from tests.reliability.process import GatewayProcess, until
from tests.reliability.threads import meanwhile
from tests.reliability.wire import Reply, Wire

FLIPS = 50
CLIENTS = 4
POLL_SECONDS = 0.05
EFFECTS = {"one": "block", "other": "warn"}
SIDE_EFFECTS = {"one": "read", "other": "write"}


def _version(name: str) -> dict[str, str]:
    """A policy that signs what it says: its data, tools, rules and patches agree."""
    seen = "data.name, input.action.side_effects[0]"
    signed = f'sprintf("rule {name}, data %s, tools %s", [{seen}])'
    says = f'verdict contains {{"effect": "{EFFECTS[name]}", "reason": {signed}}}'
    patch = ", ".join(
        f'{{"op": "add", "path": "/action/arguments/{field}", "value": {value}}}'
        for field, value in {"by": f'"{name}"', "data": "data.name"}.items()
    )
    changes = f'verdict contains {{"effect": "modify", "reason": {signed}, "patch": [{patch}]}}'
    manifest = (
        f"environments:\n  production: {{mode: block}}\ndata: {{name: {name}}}\n"
        f"tools:\n  - {{match: flip.*, side_effects: [{SIDE_EFFECTS[name]}]}}\n"
    )
    case = (
        f"about: {name} speaks\ncheck: {{action: {{tool: flip.say}}}}\n"
        f"expect: {{verdict: {EFFECTS[name]}, reasons: [flip.says]}}\n"
    )
    return {
        "policy.yaml": manifest,
        "rules/says.rego": folders.rule("flip.says", "flip.say", says),
        "rules/changes.rego": folders.rule("flip.changes", "flip.change", changes),
        "cases/flip.yaml": case,
    }


VERSIONS = {name: _version(name) for name in EFFECTS}
DIGESTS = {source.digest(files): name for name, files in VERSIONS.items()}


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
            _flip(link, name, tmp_path / f"folder {number}")
            _until_active(running, name)

    assert {name for name, _ in answers} == {"one", "other"}
    assert min(answers.values()) > FLIPS
    wire = Wire(running.port, running.key)
    kept = {each["digest"] for each in wire.get("/v1/policies/versions").json["versions"]}
    wire.close()
    assert kept == set(DIGESTS)


BROKEN = {
    "a rule that cannot be read": ("rules/says.rego", "package flip.says\n\nverdict contains {"),
    "a manifest that means nothing": ("policy.yaml", "environments: {production: {mode: maybe}}\n"),
    "a rule that reaches outside": (
        "rules/more.rego",
        folders.rule(
            "flip.more",
            "flip.*",
            'verdict contains {"effect": "block", "reason": "x"} if http.send({"url": "http://x"})',
        ),
    ),
    "a case that is not decided as it says": (
        "cases/flip.yaml",
        VERSIONS["one"]["cases/flip.yaml"].replace("verdict: block", "verdict: halt"),
    ),
}


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


def _flip(link: Path, name: str, fresh: Path) -> None:
    """Put a version in the place of the other, in one of the ways in which people do that."""
    if random.random() < 0.5:
        folders.write(link, VERSIONS[name])
        return
    folders.write(fresh, VERSIONS[name])
    new = link.with_name("new link")
    new.symlink_to(fresh)
    new.replace(link)


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
            answers[_author(reply, tool), tool] += 1
    wire.close()


def _asked_of(wire: Wire, name: str) -> None:
    for tool in ("flip.say", "flip.change"):
        assert _author(wire.check(action={"tool": tool, "arguments": {"a": 1}}), tool) == name


def _author(reply: Reply, tool: str) -> str:
    """Which version made this answer; all of it must be of that one."""
    assert reply.status == 200, reply
    answer = reply.json
    name = DIGESTS[answer["policy"]["digest"]]
    assert answer["degraded"] == []
    signature = f"rule {name}, data {name}, tools {SIDE_EFFECTS[name]}"
    assert {each["reason"] for each in answer["reasons"]} == {signature}
    if tool == "flip.say":
        assert answer["enforced"] == EFFECTS[name]
    else:
        assert answer["enforced"] == "modify"
        assert answer["arguments"] == {"a": 1, "by": name, "data": name}
    return name
