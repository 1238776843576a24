"""Asking gateways that others ask too, as an SDK does: what nobody could answer is asked again."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, NamedTuple
from uuid import uuid4

from tests.many.gateways import Served
from tests.reliability.wire import Lost, Reply, Wire

GIVE_UP_SECONDS = 60
LET_THROUGH = ("allow", "warn", "modify")


class Answered(NamedTuple):
    """A decision, and how often in a row nobody answered. `dropped`: one of those had made it."""

    decision: dict[str, Any]
    lost: int
    dropped: bool


class Client:
    """One connection to each of some gateways. `again` counts what was asked again, `refusals` why
    the first of any could not answer."""

    def __init__(self, gateways: list[Served]) -> None:
        self._wires = [Wire(each.port, each.key) for each in gateways]
        self.again = 0
        self.refusals: Counter[str] = Counter()

    def check(self, at: int, **body: Any) -> Any:
        """The decision of one of the gateways."""
        reply = self.reply(at, **body)
        assert reply.status == 200, reply
        return reply.json

    def reply(self, at: int, **body: Any) -> Reply:
        """Its answer, asked for until it is one: on a busy machine Redis may be late."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while (reply := self._wires[at].check(**body)).status == 503:
            assert time.monotonic() < deadline, reply
            self.again += 1
            time.sleep(0.05)
        return reply

    def anywhere(self, at: int, **body: Any) -> Answered:
        """The first answer of any of them, beginning with this one."""
        lost, in_a_row, told = 0, 0, False
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            sent_ms = time.time_ns() // 1_000_000
            try:
                reply = self._wires[at].check(**body)
            except Lost:
                in_a_row += 1
                lost = max(lost, in_a_row)
                time.sleep(0.01)
            else:
                in_a_row = 0
                if reply.status != 503:
                    assert reply.status == 200, reply
                    decided_before = _made_ms(reply.json["decision_id"]) < sent_ms
                    return Answered(reply.json, lost, dropped=decided_before and not told)
                self.refusals[reply.json["code"]] += 1
                told = True
                time.sleep(0.05)
            at = (at + 1) % len(self._wires)
            assert time.monotonic() < deadline, "nobody answers any more"

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


def _made_ms(made_id: str) -> int:
    """When an id was made: a UUID of version 7 begins with milliseconds since the epoch."""
    return int(made_id.partition("_")[2][:12], 16)


def says(effect: str = "none", **more: Any) -> dict[str, Any]:
    """An action whose rule says what it is asked to."""
    return {"tool": "proof.call", "arguments": {"effect": effect, **more}}


def named(action: dict[str, Any], attempt: str | None = None) -> dict[str, Any]:
    """The same with an id of its own and an attempt."""
    return {**action, "id": f"act {uuid4()}", "attempt": attempt or uuid4().hex}


def new_run(**more: Any) -> dict[str, Any]:
    return {"id": f"run {uuid4()}", **more}
