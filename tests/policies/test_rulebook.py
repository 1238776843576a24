"""The active policy is replaced whole or not at all, and says why not. (D9)"""

from __future__ import annotations

import asyncio
import shutil

import pytest

from gateway.errors import EngineUnavailable, NotFound
from gateway.judging.judgement import judge_frame
from gateway.policies import source
from gateway.policies.rulebook import Rulebook
from gateway.storage.embedded.control import EmbeddedControl
from tests import make
from tests.policies.folders import rule, saying, write


@pytest.fixture
async def control(tmp_path):
    opened = EmbeddedControl(tmp_path / "control.db", make.FixedAmbient())
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "policies", saying("block"))


@pytest.fixture
async def rulebook(folder, engine, control):
    opened = Rulebook(folder, engine, control, make.FixedAmbient())
    assert await opened.reload()
    return opened


def put(folder, files: dict[str, str]) -> None:
    """Replace the whole content of a folder."""
    for child in folder.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    write(folder, files)


async def settle(rulebook: Rulebook) -> int:
    """Two steps: what is new must look the same twice."""
    return await rulebook.step() + await rulebook.step()


BROKEN = {
    "a manifest that is none": {"policy.yaml": "environments: 3"},
    "a rule that is no Rego": {"rules/a.rego": "package a\nx :="},
    "a rule that does not compile": {"rules/a.rego": rule(body="verdict contains x if x := f(y)")},
    "a rule without a verdict": {"rules/a.rego": rule(body="x := 1")},
    "a golden case that does not hold": {"rules/a.rego": saying("halt")["rules/a.rego"]},
    "a golden case that cannot be read": {"cases/y.yaml": "about: ["},
    "a rule that fails at run time": {
        "rules/a.rego": rule(body='verdict contains {"effect": to_number("zz"), "reason": "r"}')
    },
}


def test_before_the_first_reload_there_is_no_policy(folder, engine, control):
    assert Rulebook(folder, engine, control, make.FixedAmbient()).current() is None


async def test_a_folder_becomes_active_and_is_kept(rulebook, control):
    active = rulebook.current()

    assert active.digest == source.digest(saying("block"))
    assert await control.version_files(active.digest) == saying("block")
    assert rulebook.last_error is None


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_folder_never_becomes_active_and_says_why(name, folder, rulebook, control):
    """D9: what was active stays active, and nothing of the broken version is kept."""
    before = rulebook.current()

    write(folder, BROKEN[name])
    reloaded = await settle(rulebook)

    assert reloaded == 1
    assert rulebook.current() is before
    assert rulebook.last_error.findings
    assert rulebook.last_error.at == "2026-11-20T12:00:00.000000Z"
    assert [version["digest"] for version in await control.versions()] == [before.digest]


async def test_a_folder_that_is_gone_changes_nothing(folder, rulebook):
    before = rulebook.current()

    shutil.rmtree(folder)
    await settle(rulebook)

    assert rulebook.current() is before
    assert "cannot be read" in rulebook.last_error.findings[0]


async def test_a_mended_folder_becomes_active(folder, rulebook):
    write(folder, {"rules/a.rego": "package a\nx :="})
    await settle(rulebook)

    put(folder, saying("warn"))
    await settle(rulebook)

    assert rulebook.current().digest == source.digest(saying("warn"))
    assert rulebook.last_error is None


async def test_a_broken_start_is_not_ready_until_it_is_mended(folder, engine, control):
    put(folder, {"policy.yaml": "environments: 3"})
    told: list[str] = []
    rulebook = Rulebook(folder, engine, control, make.FixedAmbient(), on_reload=told.append)

    assert not await rulebook.reload()
    assert rulebook.current() is None

    put(folder, saying("warn"))
    await settle(rulebook)
    assert rulebook.current() is not None
    assert told == ["refused", "active"]


async def test_a_change_is_taken_when_it_has_come_to_rest(folder, rulebook):
    """A copy that is still under way is a new signature at each look."""
    before = rulebook.current()

    for number in range(3):
        write(folder, {f"rules/lib{number}.rego": f"package lib{number}\n\nx := 1\n"})
        assert await rulebook.step() == 0
    assert rulebook.current() is before

    assert await rulebook.step() == 1
    assert "rules/lib2.rego" in rulebook.current().modules


async def test_an_untouched_folder_is_not_read_again(rulebook):
    before = rulebook.current()

    assert [await rulebook.step() for _ in range(3)] == [0, 0, 0]
    assert rulebook.current() is before


async def test_a_broken_folder_is_tried_once(folder, rulebook):
    write(folder, {"policy.yaml": "environments: 3"})

    assert [await rulebook.step() for _ in range(4)] == [0, 1, 0, 0]


class AbsentEngine:
    """An engine whose child cannot be started until it is told that it can."""

    def __init__(self, engine) -> None:
        self._engine = engine
        self.there = False

    @property
    def info(self):
        return self._engine.info

    async def load(self, ruleset) -> None:
        if not self.there:
            raise EngineUnavailable("no evaluator could be started")
        await self._engine.load(ruleset)

    async def evaluate(self, ruleset, rules, frame):
        return await self._engine.evaluate(ruleset, rules, frame)

    async def close(self) -> None: ...


async def test_an_engine_that_comes_back_gets_the_folder_again(folder, engine, control):
    """The folder was never at fault, so it need not change to be tried again."""
    absent = AbsentEngine(engine)
    rulebook = Rulebook(folder, absent, control, make.FixedAmbient())
    assert not await rulebook.reload()

    absent.there = True
    await settle(rulebook)

    assert rulebook.current() is not None


async def test_every_version_can_be_had_by_its_digest(folder, rulebook, engine, control):
    """Also by a process that never saw its folder: any decision can be judged again."""
    first = rulebook.current()
    put(folder, saying("warn"))
    await settle(rulebook)

    later = Rulebook(folder, engine, control, make.FixedAmbient())

    assert await rulebook.ruleset(first.digest) == first
    assert await later.ruleset(first.digest) == first
    assert await later.ruleset(rulebook.current().digest) == rulebook.current()


async def test_an_unknown_version_is_not_found(rulebook):
    with pytest.raises(NotFound):
        await rulebook.ruleset("0" * 64)


async def test_each_decision_is_made_by_the_one_version_that_it_names(folder, rulebook, engine):
    """D9: two contradictory policies take turns while checks go on."""
    meaning = {source.digest(saying(word)): word for word in ("block", "allow")}
    stop = asyncio.Event()
    seen: list[tuple[str, str]] = []

    async def judge_on() -> None:
        while not stop.is_set():
            ruleset = rulebook.current()
            judged = await judge_frame(engine, ruleset, make.frame(ruleset, make.check("x.y")))
            seen.append((judged.decision.policy_digest, judged.decision.verdict))
            await asyncio.sleep(0)

    checks = [asyncio.create_task(judge_on()) for _ in range(4)]
    for number in range(100):
        put(folder, saying(("allow", "block")[number % 2]))
        await settle(rulebook)
    stop.set()
    await asyncio.gather(*checks)

    assert {digest for digest, _ in seen} == set(meaning)
    assert [(digest, verdict) for digest, verdict in seen if meaning[digest] != verdict] == []


async def test_run_takes_changes_until_it_is_told_to_stop(folder, rulebook):
    stop = asyncio.Event()
    running = asyncio.create_task(rulebook.run(stop))

    put(folder, saying("warn"))
    for _ in range(200):
        if rulebook.current().digest == source.digest(saying("warn")):
            break
        await asyncio.sleep(0.05)
    stop.set()
    await running

    assert rulebook.current().digest == source.digest(saying("warn"))
