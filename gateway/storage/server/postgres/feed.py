"""A project's events in the order of their commits: written with them, read by those who follow.

Written last in the recording transaction, since the project's row of `feed_end` stays locked until
that ends, and others who record for the project wait so long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from gateway.storage.ports import Fed, FeedPage
from gateway.storage.server.postgres.batch import Linked, Place, place_of
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.known import columns
from gateway.storage.server.postgres.rows import stored_text

# A row holds up to a transaction's events, so few rows are a page.
ROWS = 16

EXTEND = """
    WITH stretches AS MATERIALIZED (
        SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::integer[], $5::bigint[],
            $6::integer[]) WITH ORDINALITY
            AS s (project_id, run_id, run_day, epoch, first_seq, count, number)
    ),
    batch AS MATERIALIZED (
        SELECT project_id, sum(count) AS events, array_agg(run_id ORDER BY number) AS run_ids,
            array_agg(run_day ORDER BY number) AS run_days,
            array_agg(epoch ORDER BY number) AS epochs,
            array_agg(first_seq ORDER BY number) AS first_seqs,
            array_agg(count ORDER BY number) AS counts
        FROM stretches GROUP BY project_id
    ),
    ends AS (
        INSERT INTO checkrein.feed_end AS f (project_id, place)
        SELECT project_id, events FROM batch ORDER BY project_id
        ON CONFLICT (project_id) DO UPDATE SET place = f.place + excluded.place
        RETURNING project_id, place
    )
    INSERT INTO checkrein.feed (project_id, place, events, run_ids, run_days, epochs, first_seqs,
        counts)
    SELECT b.project_id, e.place, b.events, b.run_ids, b.run_days, b.epochs, b.first_seqs, b.counts
    FROM batch AS b JOIN ends AS e ON e.project_id = b.project_id
"""
END = "SELECT place FROM checkrein.feed_end WHERE project_id = $1"
ROWS_BEHIND = """
    SELECT place, events, run_ids, run_days, epochs, first_seqs, counts FROM checkrein.feed
    WHERE project_id = $1 AND place > $2 ORDER BY place LIMIT $3
"""
RECORDS = """
    SELECT w.number, e.seq, e.record
    FROM unnest($2::text[], $3::date[], $4::integer[], $5::bigint[], $6::bigint[])
        WITH ORDINALITY AS w (run_id, run_day, epoch, first_seq, last_seq, number)
    JOIN LATERAL (
        SELECT seq, record FROM checkrein.event
        WHERE project_id = $1 AND run_day = w.run_day AND run_id = w.run_id
            AND seq BETWEEN w.first_seq AND w.last_seq AND epoch = w.epoch
        ORDER BY seq LIMIT 1000
    ) AS e ON true
    ORDER BY w.number, e.seq
"""


class _Stretch(Struct, frozen=True):
    """Events of a run that follow one another; `before` is the place before the first."""

    before: int
    run_id: str
    run_day: date
    epoch: int
    first_seq: int
    count: int


async def extend(
    connection: Connection, linked: Sequence[Linked], days: Mapping[Place, date]
) -> None:
    """Give the events of a transaction their places, run by run."""
    stretches: dict[tuple[Place, int], list[int]] = {}
    for each in linked:
        event = each.event
        found = stretches.setdefault((place_of(event), event.epoch), [event.seq, 0])
        found[1] += 1
    rows = [(*at, days[at], epoch, *found) for (at, epoch), found in stretches.items()]
    await connection.execute(EXTEND, *columns(rows, 6))


async def end(connection: Connection, project_id: str) -> int:
    """The place of the project's newest event, 0 when there is none."""
    return int(await connection.fetchval(END, stored_text(project_id)) or 0)


async def page(connection: Connection, project_id: str, after: int, limit: int) -> FeedPage:
    """Up to `limit` events behind the place `after`."""
    asked = stored_text(project_id)
    rows = await connection.fetch(ROWS_BEHIND, asked, after, ROWS)
    if not rows:
        # Nothing is newer, or what is newer was forgotten.
        last = max(after, await end(connection, project_id))
        return FeedPage(last, last, [])
    began = max(after, rows[0]["place"] - rows[0]["events"])
    wanted = _cut(rows, began, limit)
    found = await connection.fetch(
        RECORDS,
        asked,
        [each.run_id for each in wanted],
        [each.run_day for each in wanted],
        [each.epoch for each in wanted],
        [each.first_seq for each in wanted],
        [each.first_seq + each.count - 1 for each in wanted],
    )
    events = [
        Fed(of.before + 1 + seq - of.first_seq, record)
        for number, seq, record in found
        for of in (wanted[number - 1],)
    ]
    return FeedPage(began, wanted[-1].before + wanted[-1].count, events)


def _cut(rows: Sequence[Any], after: int, limit: int) -> list[_Stretch]:
    """The stretches behind a place, of so many events together, the first and last cut to fit."""
    found: list[_Stretch] = []
    left = limit
    for row in rows:
        before = row["place"] - row["events"]
        for run_id, run_day, epoch, first_seq, count in zip(
            *(row[name] for name in ("run_ids", "run_days", "epochs", "first_seqs", "counts")),
            strict=True,
        ):
            seen = min(max(after - before, 0), count)
            taken = min(count - seen, left)
            if taken:
                begin = (before + seen, run_id, run_day, epoch, first_seq + seen, taken)
                found.append(_Stretch(*begin))
                left -= taken
            before += count
    return found
