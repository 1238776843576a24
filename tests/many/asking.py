"""Asking gateways that others ask too, as an SDK does: what nobody could answer is asked again."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from tests.many.gateways import Served
from tests.reliability.wire import Lost, Reply, Wire

GIVE_UP_SECONDS = 60
LET_THROUGH = ("allow", "warn", "modify")


class Client:
    """One connection to each of some gateways. `again` counts what was asked again."""

    def __init__(self, gateways: list[Served]) -> None:
        self._wires = [Wire(each.port, each.key) for each in gateways]
        self.again = 0

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

    def anywhere(self, at: int, **body: Any) -> tuple[Reply, int]:
        """The first answer of any of them, beginning with this one, and how many were asked."""
        asked = 0
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            asked += 1
            try:
                reply = self._wires[at].check(**body)
            except Lost:
                at = (at + 1) % len(self._wires)
                time.sleep(0.01)
            else:
                if reply.status != 503:
                    return reply, asked
                at = (at + 1) % len(self._wires)
                time.sleep(0.05)
            assert time.monotonic() < deadline, "nobody answers any more"

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


def says(effect: str = "none", **more: Any) -> dict[str, Any]:
    """An action whose rule says what it is asked to."""
    return {"tool": "proof.call", "arguments": {"effect": effect, **more}}


def named(action: dict[str, Any], attempt: str | None = None) -> dict[str, Any]:
    """The same with an id of its own and an attempt."""
    return {**action, "id": f"act {uuid4()}", "attempt": attempt or uuid4().hex}


def new_run(**more: Any) -> dict[str, Any]:
    return {"id": f"run {uuid4()}", **more}
