"""D7: whichever gateways are asked for an action, and however often, it is judged once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.many import recorded
from tests.many.asking import LET_THROUGH, Client, named, new_run, says
from tests.many.conftest import Make
from tests.many.gateways import Installation, Served, knows
from tests.reliability import record
from tests.reliability.threads import together

PAIRS = 100
SAME = (
    "decision_id",
    "run_id",
    "action_id",
    "seq",
    "verdict",
    "enforced",
    "reasons",
    "policy",
    "arguments",
)
EFFECTS = ("none", "warn", "require_approval", "block")


@pytest.fixture
def client(two: list[Served]) -> Iterator[Client]:
    made = Client(two)
    yield made
    made.close()


def test_racing_twins_of_one_attempt_get_one_decision(
    client: Client, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred pairs, one to each gateway at the same time: the same decision, recorded once."""
    given: list[dict[str, Any]] = []
    for number in range(PAIRS):
        body = {"run": _run(client, number), "action": named(says())}
        one, other = together([partial(client.check, at, **body) for at in (0, 1)])

        assert [one[name] for name in SAME] == [other[name] for name in SAME]
        assert one["enforced"] == "allow"
        given.append(one)

    recorded.decisions(installation, given)
    judged = _judged(installation, given)
    assert {each["action_id"]: judged[each["action_id"]] for each in given} == {
        each["action_id"]: 1 for each in given
    }
    _say(capsys, "pairs of one attempt", client)


def test_of_racing_twins_of_two_attempts_one_is_let_through(
    client: Client, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred pairs: the other is told that the action is in doubt, and blocked."""
    given: list[dict[str, Any]] = []
    for number in range(PAIRS):
        run, action = _run(client, number), named(says())
        bodies = [{"run": run, "action": {**action, "attempt": attempt}} for attempt in "ab"]
        pair = together([partial(client.check, at, **body) for at, body in enumerate(bodies)])

        let_through = [each for each in pair if each["enforced"] in LET_THROUGH]
        (stopped,) = [each for each in pair if each["enforced"] not in LET_THROUGH]
        assert len(let_through) == 1
        assert stopped["enforced"] == "block"
        (why,) = stopped["reasons"]
        assert why["rule"] == "checkrein.idempotency"
        assert why["reason"].startswith("in_doubt")
        given += pair

    recorded.decisions(installation, given)
    _say(capsys, "pairs of two attempts", client)


def test_other_arguments_under_the_same_id_are_a_conflict_at_every_gateway(client: Client) -> None:
    body = {"run": new_run(), "action": named(says())}
    client.check(0, **body)

    reply = client.reply(1, run=body["run"], action={**body["action"], **says(other=1)})

    assert (reply.status, reply.json["code"]) == (409, "action_id_conflict")


def test_a_retry_elsewhere_after_the_gateway_was_killed_gets_the_recorded_decision(
    gateway: Make, two: list[Served], installation: Installation
) -> None:
    """Of every kind of decision; from the journal, and again when the worker has it recorded."""
    first = gateway("killed")
    first.start()
    knows(first, installation.key())
    dead, alive = Client([first]), Client(two)
    bodies = [
        {"run": new_run(), "action": named(says(effect, width=width))}
        for effect in EFFECTS
        for width in (5, 700)
    ]
    given = [dead.check(0, **body) for body in bodies]
    first.kill()

    again = [alive.check(1, **body) for body in bodies]
    recorded.decisions(installation, given)
    later = [alive.check(0, **body) for body in bodies]

    assert {each["enforced"] for each in given} == {"allow", "modify", *EFFECTS[1:]}
    for before, *after in zip(given, again, later, strict=True):
        for each in after:
            assert {name: each[name] for name in SAME} == {name: before[name] for name in SAME}
            assert _approval(each) == _approval(before)
    dead.close()
    alive.close()


def _run(client: Client, number: int) -> dict[str, Any]:
    """A run of the pair's own. Every other one has begun: beginning is a race of its own."""
    run = new_run()
    if number % 2:
        client.check(number // 2 % 2, run=run, action=says())
    return run


def _approval(reply: dict[str, Any]) -> Any:
    """Which one it waits for. Its address is that of the gateway that was asked."""
    return reply["approval"] and reply["approval"]["id"]


def _judged(installation: Installation, given: list[dict[str, Any]]) -> dict[str, int]:
    """How often each action was judged, by what is recorded."""
    runs = recorded.runs_of(installation, {each["run_id"] for each in given})
    counted: dict[str, int] = {}
    for entry in record.of_type(runs, "decision"):
        action = entry.event.action_id or ""
        counted[action] = counted.get(action, 0) + 1
    return counted


def _say(capsys: pytest.CaptureFixture[str], what: str, client: Client) -> None:
    with capsys.disabled():
        print(f"\n{PAIRS} {what}, {client.again} asked again")  # noqa: T201 - evidence
