"""Following one gateway tells what any of them judged, and goes on at another when it is gone."""

from __future__ import annotations

import signal
from uuid import uuid4

from tests.live.reading import Ended, Socket, Sse
from tests.many.asking import Client
from tests.many.conftest import Make
from tests.many.gateways import Installation, Key, Served, knows

CALL = {"tool": "crm.read_customer", "arguments": {"id": 1}}


def test_what_one_gateway_judged_is_told_by_the_other(two: list[Served]) -> None:
    """The same messages, under the same ids, in the same order."""
    clients = Client(two)
    with Sse(two[0].url, two[0].key) as first, Socket(two[1].url, two[1].key) as second:
        assert first.next()["type"] == second.next()["type"] == "ready"
        runs = [
            clients.check(n % 2, run={"id": uuid4().hex}, action=CALL)["run_id"] for n in range(20)
        ]

        told = first.take(40)

        assert second.take(40) == told
    assert {each["run_id"] for each in told} == set(runs)
    assert len({each["id"] for each in told}) == 40
    for run in runs:
        types = [each["type"] for each in told if each["run_id"] == run]
        assert types == ["run_created", "action_created"]


def test_who_followed_a_gateway_that_was_killed_goes_on_at_another(
    two: list[Served], gateway: Make, key: Key
) -> None:
    """S3-29: neither lost nor twice, wherever one goes on."""
    third = gateway("followed")
    third.start()
    knows(third, key)
    clients = Client(two)

    def judge(count: int) -> list[str]:
        return [
            clients.check(n % 2, run={"id": uuid4().hex}, action=CALL)["run_id"]
            for n in range(count)
        ]

    told = []
    with Sse(third.url, third.key) as reader:
        reader.next()
        runs = judge(10)
        told += reader.take(10)
        third.kill()
        try:
            while True:
                told.append(reader.next())
        except (Ended, ConnectionError):
            pass
        at = reader.id
    runs += judge(10)
    with Sse(two[1].url, key.text, after=at) as again:
        assert again.next()["type"] == "ready"
        told += again.take(40 - len(told))

    assert len({each["id"] for each in told}) == 40
    assert {each["run_id"] for each in told} == set(runs)


def test_a_key_that_was_revoked_ends_streams_everywhere(
    installation: Installation, two: list[Served]
) -> None:
    key = installation.key()
    for each in two:
        knows(each, key)
    with Sse(two[0].url, key.text) as first, Socket(two[1].url, key.text) as second:
        first.next()
        second.next()
        installation.checkrein("keys", "revoke", key.id)

        last = [reader.rest()[-1] for reader in (first, second)]

    assert [(each["type"], each["reason"]) for each in last] == [("closed", "key_revoked")] * 2


def test_a_gateway_that_stops_lets_its_followers_go(gateway: Make, key: Key) -> None:
    """They hold up neither the stop nor anybody behind it."""
    stopping = gateway("stopping")
    stopping.start()
    knows(stopping, key)
    with Sse(stopping.url, key.text) as first, Socket(stopping.url, key.text) as second:
        first.next()
        second.next()
        stopping.signal(signal.SIGTERM)

        told = first.rest()
        second.rest()
        assert stopping.wait() == 0

    assert [each.get("reason") for each in told if each["type"] == "closed"] == ["stopping"]
