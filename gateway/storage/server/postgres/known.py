"""What the ledger holds of a batch's runs, read in the transaction that goes on from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from gateway.domain.frame import FrameAmount
from gateway.domain.projections import RunRow, counted_amount, open_body
from gateway.storage.ports import Persist
from gateway.storage.server.postgres import rows as ledger_rows
from gateway.storage.server.postgres.batch import Head, Place, Taken, doubtful, place_of
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.reads import lost_day

RUNS = f"""
    SELECT r.run_day, {", ".join(f"r.{name}" for name in RunRow.__struct_fields__)}
    FROM unnest($1::text[], $2::text[]) AS w (project_id, run_id)
    JOIN checkrein.run AS r ON r.project_id = w.project_id AND r.run_id = w.run_id
"""
# Those of one day: so the server looks into one partition and plans for one.
HEADS = """
    SELECT w.project_id, w.run_id, h.seq, h.epoch, h.hash
    FROM unnest($2::text[], $3::text[]) AS w (project_id, run_id)
    CROSS JOIN LATERAL (
        (SELECT e.seq, e.epoch, e.hash FROM checkrein.event AS e
         WHERE e.project_id = w.project_id AND e.run_day = $1 AND e.run_id = w.run_id
             AND e.epoch > 0
         ORDER BY e.epoch DESC, e.seq DESC LIMIT 1)
        UNION ALL
        (SELECT e.seq, e.epoch, e.hash FROM checkrein.event AS e
         WHERE e.project_id = w.project_id AND e.run_day = $1 AND e.run_id = w.run_id
             AND e.epoch = 0
         ORDER BY e.seq DESC LIMIT 1)
        LIMIT 1
    ) AS h
"""
TAKEN = """
    SELECT e.project_id, e.run_id, e.seq, e.id
    FROM unnest($2::text[], $3::text[], $4::bigint[]) AS w (project_id, run_id, seq)
    JOIN checkrein.event AS e
        ON e.project_id = w.project_id AND e.run_day = $1 AND e.run_id = w.run_id
        AND e.seq = w.seq
"""
DECISIONS = """
    SELECT w.project_id, w.run_id, w.decision_id, d.record
    FROM unnest($2::text[], $3::text[], $4::text[]) AS w (project_id, run_id, decision_id)
    CROSS JOIN LATERAL (
        SELECT e.record
        FROM checkrein.action AS a
        JOIN checkrein.event AS e
            ON e.project_id = a.project_id AND e.run_day = $1 AND e.run_id = a.run_id
            AND e.seq = a.seq AND e.epoch = a.epoch
        WHERE a.project_id = w.project_id AND a.decision_id = w.decision_id
            AND a.run_id = w.run_id
        ORDER BY a.epoch DESC, a.seq DESC LIMIT 1
    ) AS d
"""


class Known(Struct, frozen=True):
    """What the ledger holds of the batch's runs."""

    rows: dict[Place, RunRow]
    days: dict[Place, date]
    heads: dict[Place, Head]
    taken: Taken


async def known_of(connection: Connection, batch: Sequence[Persist]) -> Known:
    places = {place_of(each.event) for each in batch}
    rows: dict[Place, RunRow] = {}
    days: dict[Place, date] = {}
    for found in await connection.fetch(RUNS, *columns(places, 2)):
        row = ledger_rows.run_row(tuple(found)[1:])
        rows[row.project_id, row.run_id] = row
        days[row.project_id, row.run_id] = found[0]
    days |= await _lost_days(connection, batch, days.keys())
    heads = await _heads(connection, days)
    taken = await _taken(connection, days, doubtful(batch, heads))
    for each in batch:
        place = place_of(each.event)
        if place not in days:
            days[place] = ledger_rows.day_of(each.event.recorded_at)
    return Known(rows, days, heads, taken)


async def _lost_days(
    connection: Connection, batch: Sequence[Persist], known: Collection[Place]
) -> dict[Place, date]:
    """The days of runs that go on although their row was taken away: their chain goes on too."""
    firsts: dict[Place, int] = {}
    for each in batch:
        firsts.setdefault(place_of(each.event), each.event.seq)
    days: dict[Place, date] = {}
    for place in [place for place, seq in firsts.items() if seq > 1 and place not in known]:
        day = await lost_day(connection, *place)
        if day is not None:
            days[place] = day
    return days


async def _heads(connection: Connection, days: Mapping[Place, date]) -> dict[Place, Head]:
    heads: dict[Place, Head] = {}
    for day, places in _by_day(days, days.keys()).items():
        for project_id, run_id, seq, epoch, digest in await connection.fetch(
            HEADS, day, *columns(places, 2)
        ):
            heads[_plain(project_id), _plain(run_id)] = Head(seq, epoch, digest.hex())
    return heads


async def _taken(
    connection: Connection, days: Mapping[Place, date], wanted: set[tuple[str, str, int]]
) -> Taken:
    taken: Taken = defaultdict(set)
    for day, places in _by_day(days, wanted).items():
        for project_id, run_id, seq, event_id in await connection.fetch(
            TAKEN, day, *columns(places, 3)
        ):
            taken[_plain(project_id), _plain(run_id), seq].add(_plain(event_id))
    return taken


async def amounts_of(
    connection: Connection, days: Mapping[Place, date], wanted: set[tuple[str, str, str]]
) -> dict[tuple[str, str, str], FrameAmount | None]:
    amounts: dict[tuple[str, str, str], FrameAmount | None] = {}
    for day, places in _by_day(days, wanted).items():
        for project_id, run_id, decision_id, record in await connection.fetch(
            DECISIONS, day, *columns(places, 3)
        ):
            body = open_body(ledger_rows.event_of(record))
            amounts[_plain(project_id), _plain(run_id), _plain(decision_id)] = counted_amount(body)
    return amounts


def _by_day(
    days: Mapping[Place, date], wanted: Collection[tuple[Any, ...]]
) -> dict[date, list[tuple[Any, ...]]]:
    """Those whose run's day is known, by that day. They begin with project and run."""
    found: dict[date, list[tuple[Any, ...]]] = defaultdict(list)
    for each in wanted:
        day = days.get((each[0], each[1]))
        if day is not None:
            found[day].append(each)
    return found


def columns(rows: Collection[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into one array for each column."""
    assert all(len(row) == width for row in rows)
    return [[ledger_rows.stored_text(row[n]) for row in rows] for n in range(width)]


def _plain(value: str) -> str:
    text: str = ledger_rows.text_of(value)
    return text
