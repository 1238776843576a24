"""Two policies that contradict each other and sign what they say, and folders that are broken."""

from __future__ import annotations

import random
from pathlib import Path

from gateway.policies import source
from tests.reliability import folders
from tests.reliability.wire import Reply

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


def flip(link: Path, name: str, fresh: Path) -> None:
    """Put a version in the place of the other, in one of the ways in which people do that."""
    if random.random() < 0.5:
        folders.write(link, VERSIONS[name])
        return
    folders.write(fresh, VERSIONS[name])
    new = link.with_name("new link")
    new.symlink_to(fresh)
    new.replace(link)


def author(reply: Reply, tool: str) -> str:
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
