"""A record is proven by the version of the guard that made it, where this release holds it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.domain import decision as decisions
from gateway.domain import frame as frames
from gateway.domain.assessed import Assessed
from gateway.domain.frame import Frame
from gateway.domain.rule_results import RuleResult
from gateway.intent.versions import CURRENT, MODELS, model_of, version_of
from gateway.judging.assessing import assess
from gateway.judging.judgement import judge_frame
from gateway.replay.held import SHIPPED, HeldVersions
from gateway.replay.rejudge import RecordedDecision, Rejudgement, rejudge
from tests import make
from tests.ledger import events
from tests.replay.test_rejudge import RULES, SayingEngine, caps

NOW = CURRENT.read_text().strip()


def allows(rule: str, _: dict[str, Any]) -> RuleResult:
    return RuleResult(rule)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The present version, and one that was shipped before: with another floor."""
    shutil.copytree(MODELS / NOW, tmp_path / NOW)
    stored = json.loads((MODELS / NOW / "model.json").read_bytes())
    older = json.dumps({**stored, "floor": 0.75}).encode()
    folder = tmp_path / version_of(model_of(older))
    folder.mkdir()
    (folder / "model.json").write_bytes(older)
    return tmp_path


@pytest.fixture
def older(models: Path) -> str:
    (found,) = {path.name for path in models.iterdir()} - {NOW}
    return found


async def made_by(version: str, held: HeldVersions, **changed: Any) -> RecordedDecision:
    """A decision as a gateway with this version made it."""
    assessor = await held.of(version)
    assert assessor is not None
    plan = {"plan": {"arguments": {"amount": 4, "is_refund": False}}}
    checked = make.check(arguments={"amount": 4, "is_refund": True}, request=plan)
    frame = make.frame(RULES, checked)
    said = await assess(assessor, RULES, frame)
    assert said.assessment is not None
    frame = msgspec.structs.replace(frame, assessment={**said.assessment, **changed})

    async def nothing(_: Frame) -> Assessed:
        raise AssertionError

    judged = await judge_frame(SayingEngine(allows), RULES, frame, assess=nothing)
    return RecordedDecision(
        body=events.decision_body(),
        frame=frames.encode(frame),
        rounds=judged.rounds,
        decision=decisions.encode(judged.decision),
    )


async def again(recorded: RecordedDecision, **given: Any) -> Rejudgement:
    return await rejudge(SayingEngine(allows), RULES, recorded, **given)


async def test_the_present_version_is_asked_without_being_told(models: Path) -> None:
    recorded = await made_by(NOW, SHIPPED)

    assert (await again(recorded)).assessment == "same"


async def test_an_older_version_answers_for_what_it_said(models: Path, older: str) -> None:
    """R1: to the bit, although another version runs by now and says something else."""
    held = HeldVersions(models)
    recorded = await made_by(older, held)
    running = await held.of(NOW)

    found = await again(recorded, assessor=running, held=held)
    elsewhere = await again(recorded, assessor=running)

    assert (found.outcome, found.assessment) == ("exact", "same")
    assert (elsewhere.outcome, elsewhere.assessment) == ("exact", "version not held")


async def test_a_score_that_its_version_does_not_say_is_found_out(models: Path, older: str) -> None:
    held = HeldVersions(models)
    recorded = await made_by(older, held, score=0.5)

    assert (await again(recorded, held=held)).assessment == "differs"


async def test_changed_arguments_are_assessed_by_the_version_of_the_record(
    models: Path, older: str
) -> None:
    """Not by the one that runs now: a judgement has one version."""
    held = HeldVersions(models)
    recorded = await made_by(older, held)
    raised = msgspec.json.decode(recorded.frame)
    raised["action"]["arguments"]["amount"] = 400
    seen: list[str] = []

    def says(rule: str, frame: dict[str, Any]) -> RuleResult:
        seen.append(frame["assessment"]["version"])
        return caps(rule, frame)

    running = await held.of(NOW)
    changed = msgspec.structs.replace(recorded, frame=msgspec.json.encode(raised))
    await rejudge(SayingEngine(says), RULES, changed, running, held)

    assert len(seen) == 4
    assert set(seen) == {older}


@pytest.mark.parametrize("name", ["v1-000000000000", "", "../" + NOW, "/etc", f"{NOW}/", "None"])
async def test_what_is_not_held_is_not_guessed_at(models: Path, name: str) -> None:
    assert await HeldVersions(models).of(name) is None


async def test_a_version_whose_code_changed_is_not_held(models: Path) -> None:
    """Its folder has its name, and what is in it has another by now."""
    shutil.copytree(models / NOW, models / ("v1-" + "0" * 12))

    assert await HeldVersions(models).of("v1-" + "0" * 12) is None
