"""One guarded call, prepared: what will be sent, and what is needed to run exactly that."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from checkrein import _canonical
from checkrein._asked import Evidence, evidence
from checkrein._calling import HISTORY_NODES, sent_history, surroundings
from checkrein._ids import new_attempt, new_id
from checkrein._inside import body
from checkrein._masking import Tokens, Unmaskable, same, unmask
from checkrein._names import identifier
from checkrein._observed import Share, Told
from checkrein._plain import Plainer
from checkrein._plan import Called
from checkrein._run import Run
from checkrein._runtime import Runtime
from checkrein._sizes import BODY_BYTES, ENVELOPE_BYTES, HISTORY_BYTES, SCHEMA_BYTES, fit
from checkrein._tool import Tool

_ATOMS = (str, int, float, bool, type(None), bytes)
NODES_BESIDE = 6000


class Unappliable(Exception):
    """Changed arguments that the function cannot be called with."""


class Call:
    """`arguments` is what is sent: plain, masked, cut to size. `exact` is false when something of
    the true arguments is not in it. `digest` is the gateway's `arguments_digest` of them."""

    def __init__(self, tool: Tool, bound: inspect.BoundArguments, run: Run | None, rt: Runtime):
        self.tool, self.bound, self.run = tool, bound, run
        self.masker = run.observed.masker if run else rt.masker
        named = tool.named(bound)
        self._plainer = Plainer()
        plain = self._plainer(named)
        self._raw: dict[str, Any] = plain.value
        self._tokens = Tokens()
        redacted = self.masker.redact(self._raw, tool.options.redact, self._tokens)
        masked = self.masker.value(redacted, self._tokens)
        self.action_id = _key(tool, named) or new_id("act")
        self.amount = _amount(tool, named)
        self._around = surroundings()
        around = body()
        self._parent_id = around.action_id if around else None
        self._history = sent_history(self._around.history, self.masker)
        called = Called(tool.names, masked, self._around.call_id)
        self._evidence = evidence(run, self.masker, called)
        self._told = _told(self._evidence)
        beside = ENVELOPE_BYTES + SCHEMA_BYTES
        beside += run.observed.weight(self._told) if run else _weight(self._told)
        beside += HISTORY_BYTES if self._history else 0
        self.arguments, cut = fit(masked, BODY_BYTES - beside)
        self.exact = plain.exact and not cut and not self._tokens.lost
        self.nodes = plain.nodes
        self.digest = _canonical.digest(self.arguments)
        self._before = None if _frozen(named) else _encode(self._raw)
        self.run_ref = dict(run.wire_ref()) if run else _alone(rt)
        self.approval_id: str | None = None
        self.attempt = new_attempt()
        self._use_grant(rt)

    def body(self, share: Share) -> bytes:
        """The body of POST /v1/check-action."""
        return msgspec.json.encode(
            {
                **self._base(),
                **share.fields,
                **({"events": [event.raw for event in share.events]} if share.events else {}),
            }
        )

    def share(self) -> Share:
        """What the run has to tell, as far as it fits beside the arguments."""
        if self.run is None:
            return Share({"request": self._told.fields} if self._told.fields else {}, [])
        room = BODY_BYTES - ENVELOPE_BYTES - len(msgspec.json.encode(self._base()))
        beside = NODES_BESIDE + (HISTORY_NODES if self._history else 0)
        return self.run.observed.share(room, self.nodes + beside, self._told)

    def changed_since(self) -> bool:
        """Whether the arguments are other ones than those that were checked (E3)."""
        if self._before is None:
            return False
        return _encode(self._plainer(self.tool.named(self.bound)).value) != self._before

    def modified(self, changed: dict[str, Any]) -> inspect.BoundArguments:
        """The call with the arguments that the gateway returned. Raises `Unappliable`."""
        if not self.exact:
            raise Unappliable("the arguments were cut, so the changed ones are not whole")
        untouched = frozenset(
            name
            for name in changed
            if name in self.arguments and same(changed[name], self.arguments[name])
        )
        try:
            true = unmask(changed, self.arguments, self._raw, self._tokens)
            return self.tool.rebind(self.bound, true, untouched)
        except (ValueError, TypeError, Unmaskable) as error:
            raise Unappliable(str(error)) from error

    def settle_plan(self, *, ran: bool) -> None:
        """The call has ended. One that did not run leaves its step of the plan to the next try."""
        taken, self._evidence = self._evidence.taken, Evidence(None, None)
        if taken is not None:
            taken.settle(ran=ran)

    def grant_key(self) -> tuple[str, str, str]:
        """Under which an approval of this very call is found again."""
        return (self.run.id if self.run else "", self.tool.name, self.digest)

    def _use_grant(self, rt: Runtime) -> None:
        granted = rt.granted.pop(self.grant_key(), None)
        if granted is not None:
            run_id, self.action_id, self.approval_id = granted
            if self.run is None:
                self.run_ref["id"] = run_id

    def _base(self) -> dict[str, Any]:
        tool = self.tool
        action = {
            "id": self.action_id,
            "attempt": self.attempt,
            "call_id": self._around.call_id,
            "parent_id": self._parent_id,
            "tool": tool.name,
            "arguments": self.arguments,
            "side_effects": sorted(tool.options.side_effects),
            "description": tool.description,
            "schema": tool.schema,
            "amount": self.amount,
            "mcp": {**tool.options.mcp, **self._around.mcp} or None,
        }
        base: dict[str, Any] = {
            "run": self.run_ref,
            "action": {name: value for name, value in action.items() if value is not None},
        }
        base |= {"history": self._history} if self._history else {}
        return {**base, "approval_id": self.approval_id} if self.approval_id else base


def _told(found: Evidence) -> Told:
    asked, taken = found
    fields: dict[str, Any] = {"user": asked.text} if asked else {}
    fields |= {"plan": taken.fields} if taken and taken.fields else {}
    pieces = [asked] if asked else []
    return Told(fields, (*pieces, taken.step) if taken else tuple(pieces))


def _weight(told: Told) -> int:
    return len(msgspec.json.encode(told.fields)) if told.fields else 0


def _alone(rt: Runtime) -> dict[str, str]:
    return {"agent_id": rt.settings.agent} if rt.settings.agent else {}


def _key(tool: Tool, named: dict[str, Any]) -> str | None:
    key = tool.options.idempotency_key
    if key is None:
        return None
    made = named[key] if isinstance(key, str) else key(named)
    return identifier(made) or None


def _amount(tool: Tool, named: dict[str, Any]) -> dict[str, Any] | None:
    of = tool.options.amount
    if of is None:
        return None
    found = of(named) if callable(of) else (named[of[0]], named[of[1]])
    if found is None:
        return None
    value, currency = found
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an amount is an integer of minor units")
    return {"value": value, "currency": str(currency)[:16]}


def _frozen(named: dict[str, Any]) -> bool:
    return all(type(value) in _ATOMS for value in named.values())


def _encode(plain: Any) -> bytes:
    return msgspec.json.encode(plain, order="sorted")
