"""S2: what becomes of an API key is known to every gateway within five seconds."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.many.gateways import Installation, Key, Served, knows
from tests.reliability.process import until
from tests.reliability.threads import meanwhile
from tests.reliability.wire import Wire

PROMISED_SECONDS = 5.0
GUARD_SECONDS = 60.0
ROUNDS = 3
REVOKED = "SELECT revoked_at IS NOT NULL FROM checkrein.api_key WHERE id = $1"


def test_a_revoked_key_stops_working_on_both_gateways_in_time(
    installation: Installation, two: list[Served], capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked all the time, each gateway accepts it for the last time within five seconds after the
    revocation stands in the store; and never again afterwards."""
    late: list[float] = []
    for _ in range(ROUNDS):
        key = installation.key()
        askers = [_Asker(each, key) for each in two]
        for each in two:
            knows(each, key)

        with meanwhile(*(asker.run for asker in askers)):
            with ThreadPoolExecutor(1) as watching:
                seen = watching.submit(asyncio.run, _revoked_at(installation, key))
                installation.checkrein("keys", "revoke", key.id)
            until(partial(_all_refuse, askers), GUARD_SECONDS, "both refuse")
            time.sleep(1.5)

        for asker in askers:
            late.append(asker.accepted_at - seen.result())
            assert late[-1] < PROMISED_SECONDS
            assert asker.refused > 10
            assert asker.codes == {"key_revoked"}
    with capsys.disabled():
        print(  # noqa: T201 - the counts are the evidence
            f"\n{len(late)} times a gateway heard that a key was revoked; last accepted at most "
            f"{max(late):.1f} s after the revocation"
        )


def test_a_key_that_was_made_or_rotated_works_on_both_gateways(
    installation: Installation, two: list[Served]
) -> None:
    """Each of them learns of it by itself; the old key goes on for as long as was said."""
    old = installation.key()
    for each in two:
        knows(each, old)
    rotated = installation.checkrein("keys", "rotate", old.id, "--grace", "1s")
    new = Key(rotated["api_key"], rotated["id"])

    for each in two:
        knows(each, new)
        wire = Wire(each.port, old.text)
        until(partial(_ended, wire), GUARD_SECONDS, "the old key has ended")
        assert wire.get("/v1/policies/active").json["code"] == "key_expired"
        wire.close()
        assert _status(each, new) == 200


class _Asker:
    """Asks one gateway with one key all the time."""

    def __init__(self, gateway: Served, key: Key) -> None:
        self._wire = Wire(gateway.port, key.text)
        self.accepted_at = 0.0
        self.refused = 0
        self.codes: set[str] = set()

    def run(self, ended: threading.Event) -> None:
        while not ended.is_set():
            asked_at = time.time()
            # What needs no store at all: only the key is looked at.
            reply = self._wire.get("/v1/policies/active")
            if reply.status == 200:
                assert not self.refused, "a revoked key worked again"
                self.accepted_at = asked_at
            else:
                assert reply.status == 401, reply
                self.refused += 1
                self.codes.add(reply.json["code"])
            time.sleep(0.02)
        self._wire.close()


def _ended(wire: Wire) -> bool:
    return wire.get("/v1/policies/active").status == 401


def _all_refuse(askers: list[_Asker]) -> bool:
    return all(asker.refused for asker in askers)


async def _revoked_at(installation: Installation, key: Key) -> float:
    """The moment at which others could see in the store that a key is revoked."""
    servers = installation.production
    async with servers.postgres.superuser(servers.database) as connection:
        until = time.monotonic() + GUARD_SECONDS
        while not await connection.fetchval(REVOKED, key.id):
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
        return time.time()


def _status(gateway: Served, key: Key) -> int:
    wire = Wire(gateway.port, key.text)
    try:
        return wire.get("/v1/policies/active").status
    finally:
        wire.close()
