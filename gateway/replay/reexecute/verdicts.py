"""The policy's verdict on calls that an answer proposes: judged as a check is, nothing enforced.

The frame is that of the decision nearest to the step, so request, context and state are those of
the run then; the call is the proposed one. Nothing is reserved, recorded or let through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.domain import pointers
from gateway.domain.assessed import NOTHING_TO_ASSESS, Assessed, with_assessment
from gateway.domain.check import Action, ActionCheck, Request
from gateway.domain.frame import Frame
from gateway.domain.framed_action import framed_action
from gateway.domain.ruleset import Ruleset
from gateway.domain.verdicts import Verdict
from gateway.engines.port import Engine
from gateway.errors import EngineUnavailable
from gateway.intent.port import Assessor
from gateway.judging.assessing import assess
from gateway.judging.framing import build
from gateway.judging.judgement import judge_frame
from gateway.replay.frames import frames
from gateway.replay.lineage.model_answers import ToolCall, same_tool
from gateway.replay.opening import OpenSecret
from gateway.replay.rejudge import NotReplayable, recorded_decision
from gateway.replay.stepping import FRAMES_MAX
from gateway.storage.ports import Ledger

PAGE: Final = 500
JUDGED_MAX: Final = 16
TOOLS_MAX: Final = 256
_frames = msgspec.json.Decoder(Frame)


class World(Struct, frozen=True):
    """What calls of a step are judged in. `frame` is None in a run without a decision."""

    frame: Frame | None
    tools: tuple[str, ...]
    run_id: str
    project_id: str
    environment: str
    now_ns: int


class Verdicted(Struct, frozen=True):
    """`tool` is the policy's name of it; `rules` are those that spoke."""

    tool: str
    verdict: Verdict | None
    enforced: Verdict | None
    rules: tuple[str, ...] = ()
    why: str = ""


async def world_of(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_id: str,
    seq: int,
    *,
    environment: str,
    now_ns: int,
) -> World:
    """The decision behind the step, or else the last one before it."""
    before: str | None = None
    behind: str | None = None
    tools: dict[str, None] = {}
    after = 0
    while behind is None and after < FRAMES_MAX:
        events = await ledger.events(project_id, run_id, after, PAGE)
        if not events:
            break
        for frame in await asyncio.to_thread(frames, events, {}, None):
            after = frame.seq
            if frame.type != "decision":
                continue
            if len(tools) < TOOLS_MAX:
                tools[str(frame.body.get("tool"))] = None
            if frame.seq < seq:
                before = str(frame.body.get("decision_id"))
            else:
                behind = behind or str(frame.body.get("decision_id"))
    nearest = behind or before
    found = None if nearest is None else await _frame(ledger, open_secret, project_id, nearest)
    return World(found, tuple(tools), run_id, project_id, environment, now_ns)


class Verdicts:
    """Judges proposed calls under the active policy."""

    def __init__(
        self, engine: Engine, current: Callable[[], Ruleset | None], assessor: Assessor | None
    ) -> None:
        self._engine, self._current, self._assessor = engine, current, assessor

    async def of(self, world: World, calls: Sequence[ToolCall]) -> list[Verdicted]:
        """One for each call, in order; those after the sixteenth are not judged."""
        ruleset = self._current()
        return [
            await self._one(ruleset, world, call)
            if ruleset is not None and place < JUDGED_MAX
            else Verdicted(call.name, None, None, why="no policy, or too many calls")
            for place, call in enumerate(calls)
        ]

    async def _one(self, ruleset: Ruleset, world: World, call: ToolCall) -> Verdicted:
        tool = tool_of(call.name, world.tools, ruleset)
        if call.arguments is None:
            return Verdicted(tool, None, None, why="its arguments are no JSON object")
        try:
            action = framed_action(_action(world, tool, call.arguments), "act_proposed", ruleset)
            frame = await self._assessed(ruleset, _framed(world, ruleset, action))
            judged = await judge_frame(
                self._engine, ruleset, frame, assess=partial(self._assess, ruleset)
            )
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
            # An answer may hold what no check may: numbers that no reader reads alike, say.
            return Verdicted(tool, None, None, why=f"it cannot be a check: {str(error)[:200]}")
        except EngineUnavailable:
            # What was paid for is shown all the same.
            return Verdicted(tool, None, None, why="no evaluator could be started")
        said = judged.decision
        rules = tuple(reason.rule for reason in said.reasons)
        return Verdicted(tool, said.verdict, said.enforced, rules)

    async def _assessed(self, ruleset: Ruleset, frame: Frame) -> Frame:
        return with_assessment(frame, await self._assess(ruleset, frame))

    async def _assess(self, ruleset: Ruleset, frame: Frame) -> Assessed:
        if self._assessor is None:
            return NOTHING_TO_ASSESS
        return await assess(self._assessor, ruleset, frame)


def tool_of(name: str, tools: Sequence[str], ruleset: Ruleset) -> str:
    """The name under which the policy knows the tool. Providers allow no dots in names, so one that
    the run called, or that the policy names, is looked for behind it."""
    for known in tools:
        if same_tool(name, known):
            return known
    for place, char in enumerate(name[:256]):
        dotted = f"{name[:place]}.{name[place + 1 :]}"
        if char == "_" and ruleset.tool(name) is None and ruleset.tool(dotted) is not None:
            return dotted
    return name[:256] or "tool"


def _action(world: World, tool: str, arguments: dict[str, Any]) -> Action:
    """The call, with what the run's own code said of that tool."""
    known = world.frame.action if world.frame is not None else None
    if known is None or known.tool != tool:
        return Action(tool, arguments)
    effects: Any = known.side_effects
    return Action(
        tool,
        arguments,
        side_effects=effects,
        description=known.description,
        schema=known.schema,
    )


def _framed(world: World, ruleset: Ruleset, action: Any) -> Frame:
    frame = world.frame
    if frame is None:
        check = ActionCheck(Action(action.tool, action.arguments), request=Request())
        return build(
            check,
            ruleset,
            action_id=action.id,
            run_id=world.run_id,
            project_id=world.project_id,
            environment=world.environment,
            now_ns=world.now_ns,
        )
    request = frame.request
    if request is not None and request.plan is not None and _is_own(frame):
        # The answer's own call as its plan says nothing about another answer.
        request = replace(request, plan=None)
    return replace(frame, action=action, request=request, prior=None, approvals=[], grants=[])


def _is_own(frame: Frame) -> bool:
    plan = frame.request.plan if frame.request else None
    if plan is None or plan.arguments is None:
        return False
    called = pointers.resolve(frame, "/action/arguments")
    return bool(msgspec.json.encode(plan.arguments) == msgspec.json.encode(called))


async def _frame(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, decision_id: str
) -> Frame | None:
    try:
        found = await recorded_decision(ledger, open_secret, project_id, decision_id)
    except NotReplayable:
        return None
    return None if found is None else _frames.decode(found.frame)
