"""Who may follow, and for how long: keys, tickets, origins, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from gateway.checking.authenticate import pepper
from gateway.domain import api_keys
from gateway.live.hub import FOLLOWERS_OF_PROJECT_MAX
from gateway.storage.ports import KeyRecord
from tests.api.asking import check, new_name, problem
from tests.api.live import Live, json, live_gateway
from tests.live.followers import until_nobody_follows
from tests.live.reading import TRANSPORTS, Ended, Reader, Refused, Socket, Sse

TRANSPORT = pytest.mark.parametrize("connect", TRANSPORTS.values(), ids=TRANSPORTS)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gateway(tmp_path_factory.mktemp("entry")) as running:
        yield running


def ticket(live: Live, key: str = "full") -> str:
    with live.client(key) as client:
        return str(json(client.post("/v1/live/tickets").raise_for_status())["ticket"])


@TRANSPORT
@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "unauthenticated"),
        ("expired", 401, "key_expired"),
        ("revoked", 401, "key_revoked"),
        ("check", 403, "forbidden"),
    ],
)
def test_nobody_follows_without_a_key_that_may_read(
    live: Live, connect: type[Sse | Socket], key: str | None, status: int, code: str
) -> None:
    """S14: refused before anything is streamed, and told why, over a WebSocket too."""
    with pytest.raises(Refused) as refused:
        connect(live.url, key and live.keys[key])

    assert (refused.value.status, refused.value.code) == (status, code)


@TRANSPORT
@pytest.mark.parametrize("after", ["x", "A" * 34, "ü", "A" * 65, "../../etc"])
def test_a_place_that_nobody_told_is_refused(
    live: Live, connect: type[Sse | Socket], after: str
) -> None:
    with pytest.raises(Refused) as refused:
        connect(live.url, live.keys["full"], after=after)

    assert refused.value.status == 400


@TRANSPORT
def test_a_revoked_key_ends_the_stream(live: Live, connect: type[Sse | Socket]) -> None:
    """A key is looked at while it is used, not only when the stream begins."""
    control = live.gateway.parts.control
    made, key_id = _key(live)
    with connect(live.url, made) as reader, live.client() as client:
        assert reader.next()["type"] == "ready"
        live.run(control.revoke_key(key_id, "2026-11-27T12:00:00Z"))
        live.run(live.gateway.keys.refresh())

        last = reader.rest()[-1]
        check(client, "files.read", run={"id": new_name()})

    assert (last["type"], last["reason"]) == ("closed", "key_revoked")


def test_a_socket_says_why_it_closes(live: Live) -> None:
    made, key_id = _key(live)
    with Socket(live.url, made) as reader:
        reader.next()
        live.run(live.gateway.parts.control.revoke_key(key_id, "2026-11-27T12:00:00Z"))
        live.run(live.gateway.keys.refresh())
        reader.next()
        with pytest.raises(Ended) as ended:
            reader.next()

    assert (ended.value.code, ended.value.reason) == (1008, "key_revoked")


@TRANSPORT
def test_a_gateway_that_stops_says_so_first(tmp_path: Path, connect: type[Sse | Socket]) -> None:
    with live_gateway(tmp_path) as live, connect(live.url, live.keys["full"]) as reader:
        reader.next()
        live.stopping.now = True

        told = reader.rest()

    assert [(each["type"], each["reason"]) for each in told] == [("closed", "stopping")]


def test_a_ticket_stands_for_its_key(live: Live) -> None:
    """In the address for an event stream, as a subprotocol for a WebSocket."""
    offered = ("checkrein.live", f"checkrein.ticket.{ticket(live)}")
    with (
        Sse(live.url, ticket=ticket(live)) as stream,
        Socket(live.url, protocols=offered) as sockets,
    ):
        with live.client() as client:
            assert stream.next()["type"] == sockets.next()["type"] == "ready"
            check(client, "files.read", run={"id": new_name()})

            assert stream.take(2) == sockets.take(2)
        assert sockets.subprotocol == "checkrein.live"


def test_a_ticket_lets_in_once(live: Live) -> None:
    """Who reads it in a log or an address finds it used, however it is written."""
    given = ticket(live)
    padded = given + "=" * (-len(given) % 4)
    with Sse(live.url, ticket=given) as first:
        assert first.next()["type"] == "ready"
        for again in (given, padded):
            with pytest.raises(Refused) as refused:
                Sse(live.url, ticket=again)
            assert (refused.value.status, refused.value.code) == (401, "unauthenticated")
    with Sse(live.url, ticket=ticket(live)) as other:
        assert other.next()["type"] == "ready"


def test_a_ticket_is_of_its_project(live: Live) -> None:
    with Sse(live.url, ticket=ticket(live, "other")) as theirs, live.client("other") as other:
        theirs.next()
        with live.client() as client:
            check(client, "files.read", run={"id": new_name()})
        reply = check(other, "files.read", run={"id": new_name()})

        assert theirs.next()["run_id"] == reply["run_id"]


def test_a_ticket_opens_nothing_else(live: Live) -> None:
    headers = {"authorization": f"Bearer {ticket(live)}"}

    problem(httpx2.get(f"{live.url}/v1/runs", headers=headers), 401, "unauthenticated")


def test_a_ticket_ends_with_its_key(live: Live) -> None:
    made, key_id = _key(live)
    headers = {"authorization": f"Bearer {made}"}
    given = json(httpx2.post(f"{live.url}/v1/live/tickets", headers=headers))["ticket"]
    live.run(live.gateway.parts.control.revoke_key(key_id, "2026-11-27T12:00:00Z"))
    live.run(live.gateway.keys.refresh())

    with pytest.raises(Refused) as refused:
        Sse(live.url, ticket=given)

    assert refused.value.code == "key_revoked"


@pytest.mark.parametrize("given", ["x", "A" * 60, "%00", "ü", "=" * 8])
def test_what_is_no_ticket_is_refused(live: Live, given: str) -> None:
    with pytest.raises(Refused) as refused:
        Sse(live.url, ticket=given)

    assert refused.value.code == "unauthenticated"


def test_a_key_and_a_ticket_together_are_refused(live: Live) -> None:
    """Which one would count?"""
    with pytest.raises(Refused) as refused:
        Sse(live.url, live.keys["full"], ticket=ticket(live))

    assert refused.value.code == "unauthenticated"


@TRANSPORT
def test_a_page_of_another_site_does_not_follow(live: Live, connect: type[Sse | Socket]) -> None:
    for origin in ("https://evil.example", "null", f"{live.url}.evil.example", "http://127.0.0.1"):
        with pytest.raises(Refused) as refused:
            connect(live.url, live.keys["full"], headers={"origin": origin})
        assert (refused.value.status, refused.value.code) == (403, "bad_origin")

    with connect(live.url, live.keys["full"], headers={"origin": live.url}) as reader:
        assert reader.next()["type"] == "ready"


def test_a_project_has_so_many_followers_and_no_more(live: Live) -> None:
    """Each costs a connection: those beyond the bound are sent away, other projects are not."""
    until_nobody_follows(live)
    with ExitStack() as stack:
        held: list[Reader] = []
        for _ in range(FOLLOWERS_OF_PROJECT_MAX):
            reader = stack.enter_context(Sse(live.url, live.keys["full"]))
            reader.next()
            held.append(reader)
        with pytest.raises(Refused) as refused:
            Sse(live.url, live.keys["full"])
        assert (refused.value.status, refused.value.code) == (503, "overloaded")
        with Sse(live.url, live.keys["other"]) as other, live.client() as client:
            assert other.next()["type"] == "ready"
            reply = check(client, "files.read", run={"id": new_name()})

        assert {reader.next()["run_id"] for reader in held} == {reply["run_id"]}

    until_nobody_follows(live)
    with Sse(live.url, live.keys["full"]) as reader:
        assert reader.next()["type"] == "ready"


def _key(live: Live) -> tuple[str, str]:
    """A key of the test's own, and its id."""
    control = live.gateway.parts.control
    text, key_id, _ = api_keys.make("production")
    project = live.run(control.project("acme"))
    digest = api_keys.digest(pepper(live.gateway.master), text)
    at = "2026-11-20T12:00:00Z"
    record = KeyRecord(key_id, project, "production", "own", digest, ("check", "read"), at)
    live.run(control.add_key(record))
    live.run(live.gateway.keys.refresh())
    return text, key_id
