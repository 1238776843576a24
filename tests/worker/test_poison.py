"""A record that cannot be read or stored is evidence of itself, and keeps nothing waiting (D10)."""

from __future__ import annotations

import hashlib
import sqlite3

import msgspec
import pytest

from gateway.audit.verify import verify
from gateway.domain import sealing
from gateway.domain.events import UnreadableBody
from gateway.domain.sealing import SealBroken
from gateway.errors import EventRefused, StorageFailure
from gateway.storage import record
from tests.ledger import events
from tests.ledger.events import PROJECT
from tests.worker.rig import Rig


def raw_at(rig: Rig, run_id: str, seq: int) -> bytes:
    connection = sqlite3.connect(rig.folder / "journal.db")
    found = connection.execute(
        "SELECT raw FROM event WHERE run_id = ? AND seq = ?", (run_id, seq)
    ).fetchone()
    connection.close()
    return bytes(found[0])


def journal(rig: Rig, statement: str, *values: object) -> None:
    """Change what the journal holds, as a broken disk or an attacker would."""
    connection = sqlite3.connect(rig.folder / "journal.db")
    with connection:
        assert connection.execute(statement, values).rowcount > 0
    connection.close()


def put_raw(rig: Rig, run_id: str, seq: int, raw: bytes) -> None:
    journal(rig, "UPDATE event SET raw = ? WHERE run_id = ? AND seq = ?", raw, run_id, seq)


async def three_runs(rig: Rig) -> dict[str, list[str]]:
    given = {}
    for run_id in ("run_1", "run_2", "run_3"):
        drafts = [events.started(), *[events.decided({"amount": n}) for n in range(4)]]
        await rig.append(run_id, *drafts)
        given[run_id] = [draft.id for draft in drafts]
    return given


def flipped(raw: bytes) -> bytes:
    return raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]


def other_body(raw: bytes) -> bytes:
    draft, sealed = record.decode(raw)
    return record.encode(msgspec.structs.replace(draft, body=b'{"decision_id":7}'), sealed)


def other_id(raw: bytes) -> bytes:
    draft, sealed = record.decode(raw)
    return record.encode(msgspec.structs.replace(draft, id="evt_other"), sealed)


POISONS = {
    "nothing": (lambda raw: b"", "record"),
    "garbage": (lambda raw: b"\x01garbage", "record"),
    "another version": (lambda raw: b"\x09" + raw[1:], "record"),
    "cut off": (lambda raw: raw[: len(raw) // 2], "record"),
    "a broken seal": (flipped, "seal"),
    "a body of another kind": (other_body, "body"),
    "another event's header": (other_id, "seal"),
}


@pytest.mark.parametrize("name", POISONS)
async def test_a_record_that_cannot_be_read_becomes_unreadable_at_its_seq(rig, name):
    """D10, design 4: never a gap, and never in the way of those behind it."""
    poison, problem = POISONS[name]
    given = await three_runs(rig)
    raw = poison(raw_at(rig, "run_2", 3))
    put_raw(rig, "run_2", 3, raw)

    recorder = rig.recorder()
    await recorder.drain()

    stored = await rig.stored("run_2")
    body = msgspec.json.decode(stored[2].body, type=UnreadableBody)
    assert stored[2].type == "unreadable"
    assert body == UnreadableBody(hashlib.sha256(raw).hexdigest(), len(raw), problem)
    ids = await rig.stored_ids("run_2")
    assert [*ids[:2], *ids[3:]] == [*given["run_2"][:2], *given["run_2"][3:]]
    for run_id in ("run_1", "run_3"):
        assert await rig.stored_ids(run_id) == given[run_id]
    assert await rig.waiting() == 0
    assert (await verify(rig.ledger, rig.keyring.run_secret)).ok
    assert (recorder.figures.recorded, recorder.figures.unreadable) == (15, 1)


async def test_an_unreadable_record_is_recorded_once_though_handed_out_twice(rig):
    await three_runs(rig)
    put_raw(rig, "run_1", 2, b"garbage")
    claims = await rig.drain.claim(100)

    class AgainAndAgain:
        """Settles nothing, as if the worker died each time."""

        async def claim(self, limit: int):
            return claims

        async def secrets(self, runs):
            return await rig.drain.secrets(runs)

        async def settle(self, settled) -> None:
            return

    for _ in range(3):
        await rig.recorder(drain=AgainAndAgain()).step()

    stored = await rig.stored("run_1")
    assert [(event.seq, event.epoch) for event in stored] == [(n, 0) for n in range(1, 6)]


@pytest.mark.parametrize("wrong", [b"", b"nonsense"])
async def test_a_run_whose_secret_is_broken_keeps_the_others_going(rig, wrong):
    given = await three_runs(rig)
    journal(rig, "UPDATE run SET secret = ? WHERE run_id = 'run_1'", wrong)

    await rig.recorder().drain()

    assert [event.type for event in await rig.stored("run_1")] == ["unreadable"] * 5
    assert await rig.stored_ids("run_3") == given["run_3"]


async def test_a_run_whose_key_was_destroyed_is_recorded_as_unreadable(rig):
    await three_runs(rig)

    async def destroyed(project_id: str, wrapped: bytes) -> bytes:
        raise SealBroken("the key is gone")

    await rig.recorder(open_secret=destroyed).drain()

    stored = await rig.stored("run_1")
    assert {msgspec.json.decode(event.body)["problem"] for event in stored} == {"secret"}
    assert (await verify(rig.ledger)).ok


async def test_another_runs_secret_opens_nothing(rig):
    await three_runs(rig)

    async def wrong(project_id: str, wrapped: bytes) -> bytes:
        return sealing.new_secret()

    await rig.recorder(open_secret=wrong).drain()

    problems = {msgspec.json.decode(event.body)["problem"] for event in await rig.stored("run_2")}
    assert problems == {"seal"}


async def test_a_key_store_that_is_away_makes_nothing_unreadable(rig):
    """A key that cannot be asked for is not a key that is gone."""
    given = await three_runs(rig)

    async def away(project_id: str, wrapped: bytes) -> bytes:
        raise StorageFailure("control.db: locked")

    with pytest.raises(StorageFailure):
        await rig.recorder(open_secret=away).drain()
    await rig.recorder().drain()

    assert await rig.stored_ids("run_1") == given["run_1"]


class Picky:
    """A ledger that never takes one event, whoever asks and however often."""

    def __init__(self, rig: Rig, refused: str, failure: type[StorageFailure]) -> None:
        self._rig = rig
        self._refused = refused
        self._failure = failure

    async def record(self, batch, secrets) -> int:
        if any(each.event.id == self._refused for each in batch):
            raise self._failure("cannot be stored")
        return await self._rig.ledger.record(batch, secrets)

    async def last_seq(self, project_id: str, run_id: str) -> int:
        return await self._rig.ledger.last_seq(project_id, run_id)


async def test_an_event_the_ledger_refuses_again_and_again_is_stored_as_unreadable(rig):
    """D10: the batch is halved until the event is found; its evidence takes its place."""
    given = await three_runs(rig)
    victim = given["run_2"][2]
    raw = raw_at(rig, "run_2", 3)

    recorder = rig.recorder(ledger=Picky(rig, victim, EventRefused))
    assert await recorder.step() == 12
    assert await rig.stored_ids("run_1") == given["run_1"]
    assert await rig.stored_ids("run_3") == given["run_3"]
    await recorder.drain()

    stored = await rig.stored("run_2")
    body = msgspec.json.decode(stored[2].body, type=UnreadableBody)
    assert body == UnreadableBody(hashlib.sha256(raw).hexdigest(), len(raw), "refused")
    assert await rig.stored_ids("run_2") == [*given["run_2"][:2], stored[2].id, *given["run_2"][3:]]
    assert (await verify(rig.ledger, rig.keyring.run_secret)).ok


async def test_an_event_on_which_the_store_fails_stays_and_the_others_pass_it(rig):
    """What looks like a store's failure may pass: nothing is stored in the event's place."""
    given = await three_runs(rig)
    victim = given["run_2"][2]
    recorder = rig.recorder(ledger=Picky(rig, victim, StorageFailure))

    with pytest.raises(StorageFailure):
        await recorder.drain()

    assert await rig.stored_ids("run_2") == given["run_2"][:2]
    assert await rig.stored_ids("run_3") == given["run_3"]
    assert await rig.waiting() == 3
    await rig.recorder().drain()
    assert await rig.stored_ids("run_2") == given["run_2"]


async def test_a_lost_record_is_said_to_be_missing_and_those_behind_it_follow(rig):
    """A stuck run would fill every batch in the end; its loss is recorded instead."""
    given = await three_runs(rig)
    journal(rig, "DELETE FROM event WHERE run_id = 'run_2' AND seq IN (2, 3)")

    recorder = rig.recorder()
    await recorder.drain()

    stored = await rig.stored("run_2")
    assert [event.seq for event in stored] == [1, 2, 3, 4, 5]
    assert [event.type for event in stored[1:3]] == ["unreadable"] * 2
    assert msgspec.json.decode(stored[1].body)["problem"] == "missing"
    assert [event.id for event in stored[3:]] == given["run_2"][3:]
    assert recorder.figures.missing == 2
    assert await rig.waiting() == 0
    assert (await verify(rig.ledger, rig.keyring.run_secret)).ok


async def test_more_poison_than_a_batch_holds_does_not_stop_the_rest(rig):
    await rig.append("run_1", *[events.draft() for _ in range(60)])
    good = events.draft()
    await rig.append("run_9", good)
    journal(rig, "DELETE FROM event WHERE run_id = 'run_1' AND seq = 1")

    await rig.recorder(batch=8).drain()

    assert await rig.stored_ids("run_9") == [good.id]
    assert len(await rig.stored("run_1")) == 60


async def test_events_of_a_seq_given_out_twice_are_both_kept(rig):
    """design 4: a store that lost its memory hands out a seq again; nothing is dropped."""
    given = await three_runs(rig)
    await rig.recorder().drain()
    journal(rig, "UPDATE run SET last_seq = 3 WHERE run_id = 'run_2'")
    again = events.decided()
    sealed = raw_of(rig, again)
    journal(
        rig,
        "INSERT INTO event (project_id, run_id, seq, id, environment, recorded_ns, raw)"
        " VALUES (?, 'run_2', 4, ?, 'production', 0, ?)",
        PROJECT,
        again.id,
        await sealed,
    )

    await rig.recorder().drain()

    stored = await rig.stored("run_2")
    assert [event.id for event in stored if event.epoch == 0] == given["run_2"]
    assert [(event.seq, event.id) for event in stored if event.epoch == 1] == [(4, again.id)]


async def raw_of(rig: Rig, draft) -> bytes:
    wrapped = (await rig.drain.secrets({(PROJECT, "run_2")}))[(PROJECT, "run_2")]
    key = sealing.content_key(await rig.keyring.run_secret(PROJECT, wrapped))
    return record.encode(draft, record.seal_content(key, PROJECT, "run_2", draft))


async def test_behind_a_refused_event_its_run_waits_in_every_slice_of_the_batch(rig):
    """Others go on; and once something stands in its place, what follows is in order."""
    given = await three_runs(rig)

    class Picky:
        """A ledger that takes all but one event."""

        async def record(self, batch, secrets):
            if any(each.event.id == given["run_1"][1] for each in batch):
                raise EventRefused("not this one")
            return await rig.ledger.record(batch, secrets)

        def __getattr__(self, name):
            return getattr(rig.ledger, name)

    recorder = rig.recorder(ledger=Picky(), at_once=2)
    await recorder.step()

    assert await rig.stored_ids("run_1") == given["run_1"][:1]
    assert await rig.stored_ids("run_2") == given["run_2"]
    assert await rig.stored_ids("run_3") == given["run_3"]
    await recorder.drain()
    ids = await rig.stored_ids("run_1")
    assert ids[0] == given["run_1"][0]
    assert ids[2:] == given["run_1"][2:]
    assert (await verify(rig.ledger, rig.keyring.run_secret)).ok
