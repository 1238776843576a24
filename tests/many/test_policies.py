"""D9: two gateways on one policy folder; every decision is of one version, and says which."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.many.gateways import Installation, Key, Served
from tests.reliability import folders
from tests.reliability.process import until
from tests.reliability.threads import meanwhile
from tests.reliability.versions import BROKEN, DIGESTS, EFFECTS, VERSIONS, author, flip
from tests.reliability.wire import Wire
from tests.servers.production import Production

FLIPS = 20
KEPT = "SELECT count(*) FROM checkrein.policy_version WHERE digest = ANY($1)"

Answers = Counter[tuple[int, str]]


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy folder of both, which points to one version after the other."""
    folder = tmp_path_factory.mktemp("flipping")
    found = folder / "policies"
    found.symlink_to(folders.write(folder / "first", VERSIONS["one"]))
    return found


@pytest.fixture(scope="module")
def pair(installation: Installation, link: Path, key: Key) -> Iterator[list[Served]]:
    gateways = [
        installation.gateway(f"policy{number}", link, policy_poll_seconds=0.05)
        for number in range(2)
    ]
    try:
        for each in gateways:
            each.key = key.text
            each.launch()
        for each in gateways:
            each.wait_ready()
        yield gateways
    finally:
        for each in gateways:
            each.end()


def test_every_answer_of_either_gateway_is_that_of_the_policy_it_names(
    pair: list[Served],
    link: Path,
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Twenty times between two policies that contradict each other, under load. The gateways change
    at moments of their own; verdicts, reasons, data and patches of an answer are of the version
    that it names, and both versions are in PostgreSQL."""
    answers: Answers = Counter()
    names = itertools.cycle(["other", "one"])

    with meanwhile(*(partial(_ask, pair, at, answers) for at in (0, 1, 0, 1))):
        for number in range(FLIPS):
            name = next(names)
            flip(link, name, link.parent / f"folder {number}")
            for each in pair:
                _until_active(each, name)

    assert set(answers) == {(at, name) for at in (0, 1) for name in EFFECTS}
    assert asyncio.run(_kept(installation.production)) == len(VERSIONS)
    with capsys.disabled():
        print(f"\n{FLIPS} flips, {answers.total()} answers, each of one version")  # noqa: T201


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_broken_folder_becomes_active_nowhere(flaw: str, pair: list[Served], link: Path) -> None:
    """Both go on by the version before, and say why."""
    path, text = BROKEN[flaw]
    folders.write(link, VERSIONS["one"])
    for each in pair:
        _until_active(each, "one")
    answers: Answers = Counter()

    with meanwhile(*(partial(_ask, pair, at, answers) for at in (0, 1))):
        folders.write(link, {path: text})
        for each in pair:
            until(lambda: _active(each)["refused"] is not None, 60, "a refusal")  # noqa: B023
        active = [_active(each) for each in pair]
        if path not in VERSIONS["one"]:
            (link / path).unlink()
        folders.write(link, VERSIONS["one"])
        for each in pair:
            until(lambda: _active(each)["refused"] is None, 60, "it is taken again")  # noqa: B023

    for found in active:
        assert DIGESTS[found["digest"]] == "one"
        assert path in found["refused"]["findings"][0]
    assert {name for _, name in answers} == {"one"}


def _active(gateway: Served) -> dict[str, Any]:
    wire = Wire(gateway.port, gateway.key)
    found: dict[str, Any] = wire.get("/v1/policies/active").json
    wire.close()
    return found


def _until_active(gateway: Served, name: str) -> None:
    until(lambda: DIGESTS[_active(gateway)["digest"]] == name, 60, f"{name} is active")


def _ask(gateways: list[Served], at: int, answers: Answers, ended: threading.Event) -> None:
    wire = Wire(gateways[at].port, gateways[at].key)
    while not ended.is_set():
        for tool in ("flip.say", "flip.change"):
            reply = wire.check(action={"tool": tool, "arguments": {"a": 1}})
            # On a busy machine Redis or an evaluator may be late, which is not asked here.
            if reply.status != 503 and not reply.json["degraded"]:
                answers[at, author(reply, tool)] += 1
    wire.close()


async def _kept(servers: Production) -> int:
    async with servers.postgres.superuser(servers.database) as connection:
        found: int = await connection.fetchval(KEPT, [*DIGESTS])
        return found
