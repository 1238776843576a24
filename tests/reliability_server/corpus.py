"""What a release leaves behind, kept as files, so that every later one is held to reading it.

    master.key      the key, in base64, under which all of it is encrypted
    ledger.sql      the database, with the migrations of that release, when the first part of the
                    events had been recorded
    functions.lua   the Functions of that release, as its gateways load them
    commands.jsonl  what its gateways called of them, in order, the words in base64: also of the
                    events that no worker had recorded yet, with the records of the journal in them
    events.jsonl    every event of every run, as it was when all of them had been recorded
    retried.json    a check that had been let through, under its id

`python -m tests.reliability_server.corpus FOLDER` makes one.
"""

from __future__ import annotations

import ast
import base64
import json
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.storage.server.redis import functions as journal_functions
from tests.reliability.record import Entry, Runs
from tests.reliability.traffic import Traffic
from tests.reliability.wire import Reply, Wire
from tests.reliability_server.installation import installation
from tests.servers.production import Production

MASTER = bytes(range(32))
RUNS = 3
RECORDED, WAITING = 24, 12
# Calls of a worker are its own affair; reading changes nothing, and neither does tidying up.
_NOT_KEPT = ("cr_own_", "cr_disown_", "cr_settle_", "cr_beat_", "cr_tidy_")
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"')


def make(folder: Path) -> None:
    """Make a corpus of the release that this is."""
    folder.mkdir(parents=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        installation(Path(scratch), before=_under_known_key) as running,
    ):
        with Overheard(running.servers.redis.port) as overheard:
            traffic = Traffic("corpus", RUNS)
            wire = running.wire()
            checks = [_step(wire, traffic, number) for number in range(RECORDED)]
            running.until_recorded()
            assert running.worker.stop() == 0
            dump = running.servers.postgres.dump(running.servers.database, "--inserts")
            checks += [_step(wire, traffic, RECORDED + number) for number in range(WAITING)]
            wire.close()
            assert running.waiting() > WAITING
            assert running.gateway.stop() == 0
        running.worker.start()
        running.until_recorded()
        events = [_line(entry) for entry in _all(running.runs())]
    through = [body for body, reply in checks if reply.json["enforced"] == "allow"]
    _write(folder / "master.key", base64.b64encode(MASTER).decode())
    _write(folder / "ledger.sql", _without_commands_of_psql(dump))
    _write(folder / "functions.lua", functions())
    _write(folder / "commands.jsonl", *[json.dumps(_texts(each)) for each in overheard.calls])
    _write(folder / "events.jsonl", *[json.dumps(event, sort_keys=True) for event in events])
    _write(folder / "retried.json", json.dumps(through[-1]))


def _under_known_key(servers: Production) -> Production:
    (servers.folder / "master.key").write_bytes(MASTER)
    return servers


def functions() -> str:
    """The text of the Functions, with their version in their names."""
    *_, text = journal_functions.LOAD.split(b"\r\n", 8)
    return text.removesuffix(b"\r\n").decode()


def digests(entry: Entry) -> dict[str, str]:
    """What an event's content is, each part by its digest."""
    return {
        name: sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
        for name, part in entry.content.items()
    }


class Overheard:
    """The Functions that are called on a Redis while the block runs."""

    def __init__(self, port: int) -> None:
        self.calls: list[list[bytes]] = []
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Overheard:
        self._socket.sendall(b"MONITOR\r\n")
        assert self._socket.recv(5) == b"+OK\r\n"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                words = [ast.literal_eval(f"b{word}") for word in _WORD.findall(line.decode())]
                if words and words[0] == b"FCALL" and not words[1].decode().startswith(_NOT_KEPT):
                    self.calls.append(words)


def _step(wire: Wire, traffic: Traffic, number: int) -> tuple[dict[str, Any], Reply]:
    body = traffic.check()
    body["action"] |= {"id": f"act {number}", "attempt": "first"}
    reply = wire.check(**body)
    assert reply.status == 200, reply
    if number % 3 == 0 and reply.json["enforced"] in ("allow", "warn", "modify"):
        result = {"status": "succeeded", "output": {"number": number}}
        assert wire.post(f"/v1/decisions/{reply.json['decision_id']}/result", result).status == 200
        # It has been carried out: nobody asks again.
        return body, reply._replace(body=b'{"enforced": "executed"}')
    return body, reply


def _all(runs: Runs) -> Iterator[Entry]:
    for _, entries in sorted(runs.items()):
        yield from entries


def _line(entry: Entry) -> dict[str, Any]:
    event = entry.event
    return {
        "run_id": event.run_id,
        "seq": event.seq,
        "id": event.id,
        "type": event.type,
        "action_id": event.action_id,
        "body": entry.body,
        "content": digests(entry),
    }


def _texts(words: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(word).decode() for word in words]


def _without_commands_of_psql(dump: str) -> str:
    return "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))


def _write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
