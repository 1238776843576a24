"""D4: with the journal away each environment does what the matrix says, and nothing that was given
meanwhile is lost, however often the gateway is killed.

The journal is made to stand still for real: the gateway's files may not become larger than the
journal's log is, while the worker is stopped; the spool begins new files, which are shorter.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.fail_matrix import consequence
from gateway.domain.ruleset import Environment
from gateway.domain.verdicts import SIDE_EFFECTS, STOPPING
from gateway.policies import manifest
from tests.reliability import folders, record
from tests.reliability.process import GatewayProcess, checkrein, make_key, until
from tests.reliability.syscalls import by_preload, by_strace
from tests.reliability.test_disk_full import _small_disk
from tests.reliability.threads import meanwhile
from tests.reliability.wire import Lost, Reply, Torn, Wire

KILLS = int(os.environ.get("CHECKREIN_CAMPAIGN", "6"))
CLIENTS = 6
CANARY = "canary-spool-5f1c"


def test_every_cell_of_the_matrix_for_the_journal_holds_over_http(gateway):
    """D4: environment by side effect, as shipped; then the spool is drained and all of it is there.

    The shipped rules against loops watch every tool and need the run's state.
    """
    running = gateway(metrics_port=0).start()
    wires = {"production": Wire(running.port, running.key)}
    for name in ("staging", "development"):
        wires[name] = Wire(running.port, make_key(running, name))
    given: dict[str, dict[str, Any]] = {}
    with _journal_away(running):
        _until_away(wires["production"])
        for name, environment in _shipped().items():
            for effect in SIDE_EFFECTS:
                reply = _ask(wires[name], effect)
                told = consequence("journal", name, environment, effect)
                assert reply.status == told.status, (name, effect, reply)
                if reply.status == 503:
                    assert reply.json["code"] == "journal_unavailable"
                    assert reply.json["fail_mode"] == ("open" if told.runs else "closed")
                    continue
                decision = reply.json
                given[decision["decision_id"]] = decision
                assert (decision["durability"], decision["seq"]) == ("spooled", 0)
                assert "journal" in decision["degraded"]
                assert any(word.startswith("engine:loops.") for word in decision["degraded"])
                assert (decision["enforced"] not in STOPPING) == told.runs, decision
                ready = wires[name].get("/readyz")
                assert (ready.status, ready.json["spooled"]) == (200, len(given)), ready
        # The last check was one of production's, and was refused.
        assert wires["production"].get("/readyz").status == 503
        _no_plaintext(running.data / "spool")

    _until_drained(wires["production"])
    for wire in wires.values():
        wire.close()
    assert running.stop() == 0
    entries = _recorded_once(running.data, set(given))
    for decision_id, reply_ in given.items():
        entry = entries[decision_id]
        assert entry.body["spooled"] is True
        assert entry.event.run_id == reply_["run_id"]
        assert entry.content["decision"]["degraded"] == reply_["degraded"]
        assert entry.content["decision"]["enforced"] == reply_["enforced"]
    checkrein("verify", "--data", str(running.data))


def test_a_full_disk_under_the_data_folder_is_outlived_with_the_spool_on_another(gateway, tmp_path):
    """D4: the journal's disk has no byte left; the spool lies elsewhere."""
    with _small_disk(tmp_path / "disk") as disk:
        running = gateway(data=disk / "data", spool=tmp_path / "spool", environment="staging")
        running.log = tmp_path / "log"
        running.start()
        wire = Wire(running.port, running.key)
        assert _ask(wire, "read").json["durability"] == "fsync"
        with contextlib.suppress(OSError), (disk / "ballast").open("wb", 0) as ballast:
            while ballast.write(bytes(4096)):
                continue

        given = [reply.json for reply in _until_spooled(wire, 30)]
        (disk / "ballast").unlink()

        _until_drained(wire)
        wire.close()
        assert running.stop() == 0
        _recorded_once(running.data, {reply["decision_id"] for reply in given})
        assert list((tmp_path / "spool").glob("*.spool")) == []
        checkrein("verify", "--data", str(running.data))


@pytest.mark.parametrize("traced", [by_strace, by_preload])
def test_an_answer_leaves_after_its_decision_is_in_the_spool(traced, gateway, tmp_path):
    """D3: the same as for the journal: written, flushed, and only then answered."""
    running = gateway(environment="staging")
    with traced(running, tmp_path, ".spool") as calls:
        wire = Wire(running.port, running.key)
        with _journal_away(running):
            _until_spooled(wire, 1)
            before = calls().count("answered")
            _until_spooled(wire, 10)
            seen = calls()
        wire.close()
        assert running.stop() == 0
    answers = "|".join(seen).split("answered")

    assert answers[-1].strip("|") == ""
    checks = [each.strip("|").split("|") for each in answers[before:-1]]
    assert len(checks) >= 10
    for each in checks:
        assert each[-2:] == ["written", "synced"], checks


@pytest.mark.timeout(240 + 15 * KILLS)
def test_no_spooled_decision_is_lost_however_often_the_gateway_is_killed(gateway, tmp_path, capsys):
    """D1, D4: clients ask while the journal comes and goes and the gateway is killed with -9, in
    the middle of spooling and of draining. Each decision that was given is recorded once."""
    running = gateway(environment="staging").start()
    clients = [_Client(running, number) for number in range(CLIENTS)]
    chance = random.Random()
    with meanwhile(*(client.run for client in clients)):
        for _ in range(KILLS):
            with _journal_away(running):
                enough = _spooled(clients) + 40
                until(partial(_have_spooled, clients, enough), 60, "decisions are spooled")
                time.sleep(chance.uniform(0, 0.3))
                if chance.random() < 0.5:
                    running.kill()
            if running.is_running():
                time.sleep(chance.uniform(0, 0.15))
                running.kill()
            running.start()

    wire = Wire(running.port, running.key)
    _until_drained(wire)
    wire.close()
    assert running.stop() == 0
    told = {body["decision_id"]: body for client in clients for body in client.given}
    entries = _recorded_once(running.data, set(told))
    marked = {name for name, body in told.items() if body["durability"] == "spooled"}
    assert len(marked) > 40 * KILLS
    assert all(entries[name].body["spooled"] for name in marked)
    runs = record.read_runs(running.data)
    assert record.gaps(runs) == []
    assert record.of_type(runs, "unreadable") == []
    checkrein("verify", "--data", str(running.data))
    with capsys.disabled():
        print(  # noqa: T201 - the counts are the evidence
            f"\n{KILLS} kills while spooling or draining; {len(told)} decisions acknowledged, "
            f"{len(marked)} of them spooled, nothing missing"
        )


class _Client:
    """Asks for new actions in a few runs, and keeps what it was given."""

    def __init__(self, running: GatewayProcess, number: int) -> None:
        self.given: list[dict[str, Any]] = []
        self.spooled = 0
        self._wire = Wire(running.port, running.key)
        self._number = number

    def run(self, ended: threading.Event) -> None:
        asked = 0
        while not ended.is_set():
            asked += 1
            run = f"run {self._number // 2} {asked // 100}"
            try:
                reply = _ask(self._wire, "read", run=run, action_id=f"{self._number} {asked}")
            except (Lost, Torn):
                time.sleep(0.02)
                continue
            if reply.status == 200:
                self.given.append(reply.json)
                self.spooled += reply.json["durability"] == "spooled"
            else:
                assert reply.status == 503, reply
            time.sleep(0.005)
        self._wire.close()


def _spooled(clients: list[_Client]) -> int:
    return sum(client.spooled for client in clients)


def _have_spooled(clients: list[_Client], enough: int) -> bool:
    return _spooled(clients) > enough


@contextlib.contextmanager
def _journal_away(running: GatewayProcess) -> Iterator[None]:
    """Also for what a killed gateway leaves: a new one has no such limit."""
    running.signal_all("worker", signal.SIGSTOP)
    log = running.data / "journal.db-wal"
    until(lambda: _asked_until(running, log), 30, "the log is longer than the spool's files")
    limit = partial(_limit_files, running.pid)
    limit(log.stat().st_size)
    try:
        yield
    finally:
        if running.is_running():
            limit(resource.RLIM_INFINITY)
        running.signal_all("worker", signal.SIGCONT)


def _asked_until(running: GatewayProcess, log: Path) -> bool:
    """Whether the journal's log has room beside it for the spool; else one more large check."""
    if log.exists() and log.stat().st_size > 150_000:
        return True
    wire = Wire(running.port, running.key)
    wire.check(action={"tool": "crm.read_customer", "arguments": {"note": os.urandom(5000).hex()}})
    wire.close()
    return False


def _until_away(wire: Wire) -> None:
    until(lambda: _ask(wire, "read").status == 503, 30, "the journal is away")


def _until_spooled(wire: Wire, count: int) -> list[Reply]:
    found: list[Reply] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < deadline, "nothing is spooled"
        reply = _ask(wire, "write", text=os.urandom(2000).hex())
        assert reply.status == 200, reply
        if reply.json["durability"] == "spooled":
            found.append(reply)
    return found


def _until_drained(wire: Wire) -> None:
    def drained() -> bool:
        reply = wire.get("/readyz")
        if reply.status != 200:
            return False
        return (reply.json["waiting"], reply.json["spooled"]) == (0, 0)

    until(drained, 60, "everything is in the ledger")


def _ask(
    wire: Wire, effect: str, *, run: str | None = None, action_id: str | None = None, text: str = ""
) -> Reply:
    """A tool that no rule governs, with this side effect."""
    action: dict[str, Any] = {
        "tool": "acme.call",
        "arguments": {"note": f"{CANARY} {text}"},
        "side_effects": [effect],
    }
    if action_id is not None:
        action |= {"id": action_id, "attempt": "1"}
    return wire.check(action=action, **({"run": {"id": run}} if run else {}))


def _recorded_once(data: Path, wanted: set[str]) -> dict[str, record.Entry]:
    decisions = record.of_type(record.read_runs(data), "decision")
    counted = Counter(entry.body["decision_id"] for entry in decisions)
    assert {name: counted[name] for name in wanted if counted[name] != 1} == {}
    assert [name for name, count in counted.items() if count > 1] == []
    return {entry.body["decision_id"]: entry for entry in decisions}


def _no_plaintext(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".spool" for path in files)
    for path in files:
        assert CANARY.encode() not in path.read_bytes()
        assert b"acme.call" not in path.read_bytes()


def _limit_files(pid: int, size: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def _shipped() -> dict[str, Environment]:
    written, _, problems = manifest.parse((folders.SHIPPED / "policy.yaml").read_text("utf-8"))
    assert written is not None, problems
    return {name: manifest.environment(each) for name, each in written.environments.items()}
