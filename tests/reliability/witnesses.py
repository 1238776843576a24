"""Clients that remember what they were told: what they saw acknowledged is what must be recorded.

Each writes every 2xx body to a file of its own, on the disk before it goes on, and asks again
under the same action id and attempt whenever nobody answered.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tests.reliability.traffic import Traffic
from tests.reliability.wire import Lost, Reply, Torn, Wire

GIVE_UP_SECONDS = 60
PAUSE = 0.005
# Whoever is refused comes back after this; many that hammer would slow the start they wait for.
AGAIN_SECONDS = 0.05
# How often a client hangs up on its own question, and asks again.
HANGS_UP = 0.05


class Reached(Protocol):
    """Where a gateway listens, now and after every start, and a key that it knows."""

    @property
    def port(self) -> int: ...

    @property
    def key(self) -> str: ...


class Seen(NamedTuple):
    """What one client was told: what it sent, and the body of the 2xx that came back."""

    kind: str
    sent: dict[str, Any]
    reply: dict[str, Any]


class Witness:
    """One client. `run` asks until it is told to stop, with a pause in between.

    `told` counts what it was told, `retried` what it asked again, `torn` the responses that broke
    off: nobody may take half an answer for one, and a gateway that is not killed never gives one.
    """

    def __init__(self, gateway: Reached, folder: Path, name: str, pause: float = PAUSE) -> None:
        self.path = folder / f"{name}.jsonl"
        self.told = 0
        self.retried = 0
        self.torn = 0
        self._wire = Wire(gateway.port, gateway.key)
        self._pause = pause
        # Four share their runs: what one does changes what the others are told.
        self._traffic = Traffic(f"{int(name) // 4}")
        self._random = random.Random(name)
        self._let_through: list[str] = []
        self._ended = threading.Event()

    def run(self, ended: threading.Event) -> None:
        self._ended = ended
        kinds = (self._named_check, self._check, self._events, self._result)
        with self.path.open("ab", buffering=0) as journal:
            self._journal = journal
            while not ended.is_set():
                (kind,) = self._random.choices(kinds, (7, 1, 1, 2))
                kind()
                time.sleep(self._pause)
        self._wire.close()

    def _named_check(self) -> None:
        body = self._traffic.check()
        body["action"] |= {"id": f"act {uuid.uuid4()}", "attempt": uuid.uuid4().hex}
        reply = self._insist("/v1/check-action", body)
        if reply is None:
            return
        self._note("check", body, reply)
        if reply.json["enforced"] in ("allow", "warn", "modify"):
            self._let_through.append(reply.json["decision_id"])

    def _check(self) -> None:
        """Without an id nothing can be asked again."""
        body = self._traffic.check()
        reply = self._once("/v1/check-action", body)
        if reply is not None:
            self._note("check", body, reply)

    def _events(self) -> None:
        run = self._traffic.check()["run"]
        texts = [uuid.uuid4().hex for _ in range(self._random.randrange(1, 4))]
        body = {
            "run": run,
            "events": [{"type": "message", "role": "tool", "text": text} for text in texts],
        }
        reply = self._once("/v1/events", body)
        if reply is not None:
            self._note("events", body, reply)

    def _result(self) -> None:
        if not self._let_through:
            return
        decision_id = self._let_through.pop(self._random.randrange(len(self._let_through)))
        body = {
            "status": self._random.choice(["succeeded", "failed"]),
            "output": {"marker": uuid.uuid4().hex},
        }
        reply = self._insist(f"/v1/decisions/{decision_id}/result", body)
        if reply is not None:
            self._note("result", {"decision_id": decision_id, **body}, reply)

    def _insist(self, path: str, body: dict[str, Any]) -> Reply | None:
        """The same again and again, until somebody answers; None at the end of the test."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        if self._random.random() < HANGS_UP:
            self._hang_up(path, body)
        while (reply := self._once(path, body)) is None and not self._ended.is_set():
            assert time.monotonic() < deadline, "nobody answers any more"
            self.retried += 1
        return reply

    def _hang_up(self, path: str, body: dict[str, Any]) -> None:
        """Ask, and be gone before or after the answer: what came of it nobody knows."""
        data = json.dumps(body).encode()
        with contextlib.suppress(Lost):
            self._wire.send(self._wire.head("POST", path, len(data)) + data)
            time.sleep(self._random.uniform(0, 0.05))
        self._wire.close()
        self.retried += 1

    def _once(self, path: str, body: dict[str, Any]) -> Reply | None:
        """A 2xx; None when nobody answered, or was able to."""
        try:
            reply = self._wire.post(path, body)
        except Lost:
            time.sleep(AGAIN_SECONDS)
            return None
        except Torn:
            self.torn += 1
            return None
        if reply.status == 503:
            time.sleep(AGAIN_SECONDS)
            return None
        assert reply.status == 200, (path, body, reply)
        return reply

    def _note(self, kind: str, sent: dict[str, Any], reply: Reply) -> None:
        line = json.dumps({"kind": kind, "sent": sent, "reply": reply.json})
        self._journal.write(line.encode() + b"\n")
        os.fdatasync(self._journal.fileno())
        self.told += 1


def seen(witnesses: list[Witness]) -> list[Seen]:
    """Everything that any of them was told, once they have ended."""
    return [
        Seen(**json.loads(line))
        for witness in witnesses
        if witness.told
        for line in witness.path.read_text().splitlines()
    ]
