"""S11 in part: what agents and people wrote lies nowhere in clear."""

from __future__ import annotations

import base64
import json
import secrets
import signal
import urllib.request
from collections.abc import Iterator
from typing import Any

from tests.reliability import record
from tests.reliability.process import GatewayProcess, checkrein, free_port, until
from tests.reliability.wire import Wire

REPEATS = 2


class Canaries:
    """Texts that occur nowhere else, by the field that each was sent in."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}

    def __call__(self, field: str) -> str:
        text = f"kanari{secrets.token_hex(12)}"
        self.sent[f"{field} {len(self.sent)}"] = text
        # Beside it stand other things that people write, and characters that JSON escapes.
        return f'Dear "{text}" \\ née <b>\n'

    def key(self, field: str) -> str:
        """One for a name within an object."""
        self(field)
        return next(reversed(self.sent.values()))


def test_nothing_that_an_agent_or_a_person_wrote_is_on_the_disk_in_clear(gateway):
    """S11, S12: more than sixty canaries through every field that can hold content, in checks,
    results and observations, also in requests that are refused. Then every file of the data folder
    is searched, with write-ahead logs, before the worker has seen it, after it has, and after the
    end; likewise what was logged and the metrics. None is found."""
    metrics_port = free_port()
    running = gateway(metrics_port=metrics_port).start()
    running.signal_all("worker", signal.SIGSTOP)
    canaries = Canaries()
    wire = Wire(running.port, running.key)

    for number in range(REPEATS):
        _send_all(wire, canaries, f"run {number}")
    _send_refused(wire, canaries)
    assert len(canaries.sent) > 60
    assert record.waiting(running.data) > 0
    _search(running, canaries)

    running.signal_all("worker", signal.SIGCONT)
    until(lambda: record.waiting(running.data) == 0, 30, "the journal is empty")
    _search(running, canaries)
    _search_bytes("the metrics", _metrics(metrics_port), canaries)
    # It is all there, and can be read with the key.
    shown = "".join(_shown(wire, f"run%20{number}") for number in range(REPEATS))
    kept = {name: text for name, text in canaries.sent.items() if "refused" not in name}
    assert [name for name, text in kept.items() if text not in shown] == []
    wire.close()

    assert running.stop() == 0
    _search(running, canaries)
    checkrein("verify", "--data", str(running.data))


def _send_all(wire: Wire, say: Canaries, run: str) -> None:
    reply = wire.check(**_body(say, run))
    assert reply.status == 200, reply
    # The plan differs from the call, and where the Intent Guard says so, it repeats both.
    assert reply.json["enforced"] in ("allow", "warn"), reply
    assert reply.json["assessment"] is None or reply.json["assessment"]["signals"], reply
    result = {
        "status": "failed",
        "output": {say.key("output key"): [say("output")]},
        "error": {"type": "ToolError", "message": say("error message")},
        "cost": {"value": 3, "currency": "USD"},
    }
    path = f"/v1/decisions/{reply.json['decision_id']}/result"
    assert wire.post(path, result).status == 200
    other = {**result, "output": say("another output")}
    assert wire.post(path, other).json["code"] == "result_conflict"
    batch = {"run": {"id": run}, "events": list(_observations(say))}
    assert wire.post("/v1/events", batch).status == 200
    end = {"status": "failed", "output": say("run output"), "error": say("run error")}
    assert wire.post(f"/v1/runs/{run.replace(' ', '%20')}/end", end).status == 200


def _body(say: Canaries, run: str) -> dict[str, Any]:
    """A check with a canary in everything that is content."""
    return {
        "run": {"id": run, "user_id": "user 1"},
        "action": {
            "id": f"action of {run}",
            "tool": "notes.find",
            "arguments": {
                "text": say("argument"),
                say.key("argument key"): {say.key("inner argument key"): [say("inner argument")]},
            },
            "description": say("description"),
            "schema": {"title": say("schema"), "properties": {say.key("schema key"): {}}},
        },
        "request": {
            "user": say("request"),
            "reasoning": say("reasoning"),
            "plan": {
                "text": say("plan"),
                # A plan that differs from the call: what is observed and expected is content too.
                "arguments": {
                    say.key("plan argument key"): say("plan argument"),
                    "text": say("another argument than the call's"),
                },
            },
        },
        "context": [
            {"id": "c1", "source": say("context source"), "text": say("context")},
            {"id": "c2", "trusted": True, "text": say("trusted context")},
        ],
        "history": [{"tool": "notes.find", "arguments": {say.key("history key"): say("history")}}],
        "model": {"parameters": {"stop": say("model parameter")}},
        "external_state": {say.key("external state key"): say("external state")},
        "events": list(_observations(say)),
    }


def _observations(say: Canaries) -> Iterator[dict[str, Any]]:
    yield {"type": "request", "text": say("observed request")}
    yield {
        "type": "plan",
        "text": say("observed plan"),
        "arguments": {say.key("observed plan key"): say("observed plan argument")},
    }
    yield {"type": "context", "id": "c3", "source": say("observed source"), "text": say("seen")}
    yield {
        "type": "model_call",
        "system": say("system prompt"),
        "messages": [{"role": "user", "content": say("model message")}],
        "tools": [{"description": say("model tool")}],
        "answer": {"text": say("model answer")},
        "reasoning": say("model reasoning"),
        "parameters": {"stop": say("call parameter")},
    }
    yield {"type": "artifact", "name": "a", "uri": say("uri"), "content": say("artifact")}
    yield {"type": "verification", "name": "v", "status": "failed", "output": say("verification")}
    yield {"type": "handoff", "to_agent": "b", "reason": say("handoff")}
    yield {"type": "feedback", "label": "bad", "comment": say("feedback")}
    yield {"type": "retry", "detail": say("retry")}
    yield {"type": "message", "role": "user", "text": say("message")}


def _send_refused(wire: Wire, say: Canaries) -> None:
    """What is not accepted reaches neither the disk nor a log."""
    wrong = [
        {"action": {"tool": 7, "arguments": {"a": say("refused argument")}}},
        {"action": {"tool": "x"}, "request": {"user": say("refused request")}, "nonsense": 1},
        {"action": {"tool": "x"}, "context": [{"text": say("refused context"), "trusted": "yes"}]},
    ]
    for body in wrong:
        assert wire.post("/v1/check-action", body).status == 400
    torn = json.dumps({"action": {"tool": "x", "arguments": {"a": say("refused torn")}}})
    assert wire.ask("POST", "/v1/check-action", torn[:-3].encode()).status == 400


def _search(running: GatewayProcess, canaries: Canaries) -> None:
    files = [path for path in running.data.rglob("*") if path.is_file()]
    assert any(path.name == "journal.db" for path in files)
    for path in [*files, running.log]:
        _search_bytes(str(path.name), path.read_bytes(), canaries)


def _search_bytes(where: str, data: bytes, canaries: Canaries) -> None:
    found = [
        name for name, text in canaries.sent.items() if any(form in data for form in _forms(text))
    ]
    assert found == [], f"{where} holds {found}"


def _forms(text: str) -> Iterator[bytes]:
    """As it is, and as a careless hand would hide it."""
    raw = text.encode()
    yield from (raw, raw.hex().encode(), text.encode("utf-16-le"))
    for shift in range(3):
        # The ends depend on what stands beside it; the middle does not.
        yield base64.b64encode(b"_" * shift + raw)[4:-4]


def _metrics(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return bytes(answer.read())


def _shown(wire: Wire, run: str) -> str:
    reply = wire.get(f"/v1/runs/{run}/frames?limit=200")
    assert reply.status == 200, reply
    return reply.body.decode()
