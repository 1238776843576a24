"""A recorded model step asked again: what would be sent and cost, then the answer beside the old.

`prepare` sends nothing. `answer` sends it once, to a configured endpoint. Tools never run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.domain.observations import ObservedAmount
from gateway.domain.ruleset import Ruleset
from gateway.domain.verdicts import Verdict
from gateway.engines.port import Engine
from gateway.intent.port import Assessor
from gateway.replay.lineage.model_answers import ToolCall
from gateway.replay.opening import OpenSecret
from gateway.replay.reexecute import answers, checks
from gateway.replay.reexecute.answers import Answered, Tokens
from gateway.replay.reexecute.asked import Asked, Changes, request_of
from gateway.replay.reexecute.checks import Check, Judged, Label, Look
from gateway.replay.reexecute.endpoints import EndpointName, Endpoints, ModelEndpoint
from gateway.replay.reexecute.prices import ModelCost, Prices
from gateway.replay.reexecute.recorded import Api, RecordedCall, recorded_call
from gateway.replay.reexecute.verdicts import Verdicts, World, world_of
from gateway.storage.ports import Ledger

CHARS_OF_TOKEN: Final = 4
_ANSWER_TOKENS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")


class Wanted(Struct, frozen=True):
    """What somebody wants asked again, and what the answer must keep to."""

    changes: Changes = Changes()
    checks: tuple[Check, ...] = ()
    endpoint: EndpointName | None = None


class Estimate(Struct, frozen=True):
    """Before anything is sent. `input_basis` says where the number of input tokens comes from.

    `output_tokens` is the most that the request allows, or else what the recorded answer took; null
    when neither is known. `cost` is of these tokens, null where the operator gave no price.
    """

    input_tokens: int
    input_basis: Literal["recorded", "length"]
    output_tokens: int | None
    cost: ModelCost | None


class ProposedCall(Struct, frozen=True):
    """A call that an answer proposes, with the policy's verdict on it. It does not run.

    `judged_as` is the policy's name of the tool, `unjudged` why there is no verdict.
    """

    tool: str
    arguments: dict[str, Any] | None
    judged_as: str
    verdict: Verdict | None
    enforced: Verdict | None
    rules: list[str]
    unjudged: str | None = None


class ModelAnswer(Struct, frozen=True):
    """One of the two answers. `cost` is by the operator's prices, `recorded_cost` what the agent
    itself reported then, in minor units. `answer` is in the provider's form."""

    model: str | None
    text: str
    calls: list[ProposedCall]
    finish_reason: str | None
    tokens: Tokens | None
    cost: ModelCost | None
    duration_ms: float | None
    answer: Any
    recorded_cost: ObservedAmount | None = None
    error: str | None = None


class CheckOutcome(Struct, frozen=True):
    """A check on both answers; `now` is null before anything was sent."""

    check: Check
    original: bool
    now: bool | None
    why: str = ""


class Prepared(Struct, frozen=True):
    """Everything but the new answer."""

    call: RecordedCall
    endpoint: ModelEndpoint
    asked: Asked
    estimate: Estimate
    looks: tuple[Look, ...]
    world: World
    original: ModelAnswer
    outcomes: tuple[CheckOutcome, ...]
    wanted: Wanted

    @property
    def api(self) -> Api:
        return self.call.api


class Result(Struct, frozen=True):
    """The new answer, the checks on both, and what they come to."""

    answer: ModelAnswer
    outcomes: tuple[CheckOutcome, ...]
    label: Label | None
    cost: ObservedAmount | None


class ReExecutor:
    """Asks configured endpoints again what recorded steps asked."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        open_secret: OpenSecret,
        engine: Engine,
        current: Callable[[], Ruleset | None],
        assessor: Assessor | None,
        endpoints: Endpoints,
        prices: Prices,
    ) -> None:
        self._ledger = ledger
        self._open_secret = open_secret
        self._verdicts = Verdicts(engine, current, assessor)
        self._endpoints = endpoints
        self._prices = prices

    async def prepare(
        self,
        project_id: str,
        run_id: str,
        seq: int,
        wanted: Wanted,
        *,
        environment: str,
        now_ns: int,
    ) -> Prepared | None:
        """What would be sent, and what it would cost; None when the run has no such step. Raises
        NotReExecutable."""
        self._endpoints.any_or_off()
        looks = checks.compiled(wanted.checks)
        call = await recorded_call(self._ledger, self._open_secret, project_id, run_id, seq)
        if call is None:
            return None
        endpoint = self._endpoints.of(call.api, wanted.endpoint)
        asked = await asyncio.to_thread(request_of, call, wanted.changes)
        world = await world_of(
            self._ledger,
            self._open_secret,
            project_id,
            run_id,
            seq,
            environment=environment,
            now_ns=now_ns,
        )
        answered = await asyncio.to_thread(answers.recorded_answer, call)
        duration = call.body.get("duration_ns")
        shown = await self._shown(world, answered, call.model, int(duration) if duration else None)
        cost = call.body.get("cost")
        if isinstance(cost, dict):
            recorded = msgspec.convert(cost, ObservedAmount)
            shown = msgspec.structs.replace(shown, recorded_cost=recorded)
        held = await asyncio.to_thread(_looked, looks, shown)
        return Prepared(
            call=call,
            endpoint=endpoint,
            asked=asked,
            estimate=self._estimate(call, asked, wanted.changes),
            looks=tuple(looks),
            world=world,
            original=shown,
            outcomes=tuple(
                CheckOutcome(check, outcome.holds, None)
                for check, outcome in zip(wanted.checks, held, strict=True)
            ),
            wanted=wanted,
        )

    async def answer(self, prepared: Prepared) -> Result:
        """Send it, and compare. Raises EndpointTrouble."""
        begun = time.monotonic_ns()
        data = await prepared.endpoint.ask(prepared.api, prepared.asked.body)
        took = time.monotonic_ns() - begun
        answered = await asyncio.to_thread(answers.new_answer, prepared.api, data)
        model = str(prepared.asked.body["model"])
        shown = await self._shown(prepared.world, answered, model, took)
        held = await asyncio.to_thread(_looked, prepared.looks, shown)
        return Result(
            answer=shown,
            outcomes=tuple(
                CheckOutcome(each.check, each.original, outcome.holds, outcome.why)
                for each, outcome in zip(prepared.outcomes, held, strict=True)
            ),
            label=checks.label(held),
            cost=self._prices.minor(self._priced(answered, model), answered.used),
        )

    async def _shown(
        self, world: World, answered: Answered, model: str | None, took_ns: int | None
    ) -> ModelAnswer:
        verdicts = await self._verdicts.of(world, answered.calls)
        return ModelAnswer(
            model=answered.model or model,
            text=answered.text,
            calls=[
                ProposedCall(
                    call.name,
                    call.arguments,
                    said.tool,
                    said.verdict,
                    said.enforced,
                    list(said.rules),
                    said.why or None,
                )
                for call, said in zip(answered.calls, verdicts, strict=True)
            ],
            finish_reason=answered.finish_reason,
            tokens=answered.used,
            cost=self._prices.cost(self._priced(answered, model), answered.used),
            duration_ms=None if took_ns is None else round(took_ns / 1e6, 3),
            answer=answered.answer,
            error=answered.error,
        )

    def _priced(self, answered: Answered, model: str | None) -> str | None:
        """The name that has a price: the provider's own for what answered, else the one asked."""
        return answered.model if self._prices.knows(answered.model) else model

    def _estimate(self, call: RecordedCall, asked: Asked, changes: Changes) -> Estimate:
        used = call.body.get("usage") or {}
        sent = used.get("input_tokens")
        same = changes.system is None and changes.messages is None and sent
        size = len(msgspec.json.encode(asked.body))
        tokens = int(sent) if same and sent else -(-size // CHARS_OF_TOKEN)
        most = next((asked.body[name] for name in _ANSWER_TOKENS if name in asked.body), None)
        output = most if isinstance(most, int) else used.get("output_tokens")
        cost = self._prices.cost(asked.body["model"], Tokens(tokens, output or 0))
        return Estimate(tokens, "recorded" if same else "length", output, cost)


def _looked(looks: Sequence[Look], shown: ModelAnswer) -> list[checks.Outcome]:
    judged = [Judged(ToolCall(call.tool, call.arguments), call.verdict) for call in shown.calls]
    return [look(shown.text, judged) for look in looks]
