"""Which models a run asked, under which configuration and on whose behalf, and what they took."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.replay.frames import ReplayFrame
from gateway.replay.record.calls import add_cost
from gateway.replay.record.shape import AgentShare, ModelUse, Money

USES_MAX: Final = 256
CONFIDENCES_MAX: Final = 256
PARAMETERS_BYTES: Final = 4096


class _Use(Struct):
    """One model, configuration and agent."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Money = {}
    duration_ns: int | None = None
    confidence: list[str] = []


class Models:
    """Takes model calls and what decisions say of their model."""

    def __init__(self) -> None:
        self.input_tokens = 0
        self.output_tokens = 0
        self.last_id: str | None = None
        self.last_prompt: str | None = None
        self._uses: dict[tuple[str | None, str | None, bytes, str | None, str | None], _Use] = {}
        self._prompts: dict[str, None] = {}

    def asked(self, frame: ReplayFrame) -> None:
        """A call of a model that was reported."""
        body, told = frame.body, frame.content.get("observation")
        parameters = told.get("parameters") if isinstance(told, dict) else None
        prompt = body.get("prompt_version")
        use = self._use(
            body.get("provider"), body.get("id"), parameters, prompt, body.get("agent_id")
        )
        used = body.get("usage") or {}
        tokens = (int(used.get("input_tokens") or 0), int(used.get("output_tokens") or 0))
        self.input_tokens += tokens[0]
        self.output_tokens += tokens[1]
        use.calls += 1
        use.input_tokens += tokens[0]
        use.output_tokens += tokens[1]
        add_cost(use.cost, body.get("cost"))
        if body.get("duration_ns") is not None:
            use.duration_ns = (use.duration_ns or 0) + int(body["duration_ns"])
        if body.get("confidence") is not None and len(use.confidence) < CONFIDENCES_MAX:
            use.confidence.append(body["confidence"])
        self.last_id = body.get("id") or self.last_id
        self._prompt(prompt)

    def named_by(self, seen: dict[str, Any]) -> None:
        """A decision's frame names its model and prompt version."""
        model = seen.get("model")
        if isinstance(model, dict) and model.get("id"):
            self.last_id = model["id"]
            key = (model.get("provider"), model["id"])
            if not any(known[:2] == key for known in self._uses):
                prompt = seen.get("prompt_version")
                self._use(*key, model.get("parameters"), prompt, None)
        self._prompt(seen.get("prompt_version"))

    def used(self) -> list[ModelUse]:
        """Each in the order in which it first counted."""
        return [
            ModelUse(
                provider=provider,
                id=model,
                parameters=msgspec.json.decode(parameters),
                prompt_version=prompt,
                agent_id=agent_id,
                calls=use.calls,
                input_tokens=use.input_tokens,
                output_tokens=use.output_tokens,
                cost=use.cost,
                duration_ns=None if use.duration_ns is None else str(use.duration_ns),
                confidence=use.confidence,
            )
            for (provider, model, parameters, prompt, agent_id), use in self._uses.items()
        ]

    def prompt_versions(self) -> list[str]:
        return list(self._prompts)

    def cost(self) -> Money:
        """What all model calls cost."""
        total: Money = {}
        for use in self._uses.values():
            for currency, amount in use.cost.items():
                total[currency] = total.get(currency, 0) + amount
        return total

    def shares(
        self, run_id: str, agent_id: str | None, tool_calls: int, tool_cost: Money
    ) -> list[AgentShare]:
        """What each agent of this run took. Tools are the run's own agent's."""
        by_agent: dict[str | None, list[_Use]] = {agent_id: []}
        for (*_, asked_by), use in self._uses.items():
            by_agent.setdefault(asked_by or agent_id, []).append(use)
        found = []
        for who, uses in by_agent.items():
            own = who == agent_id
            cost = dict(tool_cost) if own else {}
            for use in uses:
                for currency, amount in use.cost.items():
                    cost[currency] = cost.get(currency, 0) + amount
            found.append(
                AgentShare(
                    who,
                    run_id,
                    tool_calls if own else 0,
                    sum(use.calls for use in uses),
                    sum(use.input_tokens for use in uses),
                    sum(use.output_tokens for use in uses),
                    dict(sorted(cost.items())),
                )
            )
        return found

    def _use(
        self,
        provider: str | None,
        id: str | None,
        parameters: Any,
        prompt: str | None,
        agent_id: str | None,
    ) -> _Use:
        encoded = msgspec.json.encode(parameters or {}, order="sorted")
        if len(encoded) > PARAMETERS_BYTES:
            encoded = b'{"left_out":true}'
        key = (provider, id, encoded, prompt, agent_id)
        if key not in self._uses and len(self._uses) >= USES_MAX:
            # Those beyond share a place, so that what they took still counts.
            key = (None, None, b"{}", None, agent_id if len(self._uses) < 2 * USES_MAX else None)
        return self._uses.setdefault(key, _Use(cost={}, confidence=[]))

    def _prompt(self, prompt: str | None) -> None:
        if prompt:
            self.last_prompt = prompt
            if len(self._prompts) < USES_MAX:
                self._prompts.setdefault(prompt)
