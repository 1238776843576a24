"""A long history is read in a few questions, however many runs it is spread over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.calibrating import history
from gateway.calibrating.current import Current
from gateway.calibrating.history import DECISIONS_MAX, PAGE
from gateway.storage.ports import Found, Ledger
from tests.calibrating.recorded import assessed, said
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret

BATCH = 500


class Counted:
    """A ledger, and how it was asked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.asked: list[str] = []
        self.longest = 0

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any) -> Sequence[Found]:
            self.asked.append(name)
            found: Sequence[Found] = await getattr(self._ledger, name)(*args)
            self.longest = max(self.longest, len(found))
            return found

        return ask


async def fill(ledger: Ledger) -> None:
    """So many runs of one decision each, and every hundredth is labelled."""
    for first in range(0, DECISIONS_MAX + 7, BATCH):
        batch, secrets = [], {}
        for n in range(first, min(first + BATCH, DECISIONS_MAX + 7)):
            at = f"2026-11-20T{12 + n // 3600}:{n // 60 % 60:02}:{n % 60:02}.000000Z"
            drafts = [assessed(f"dec_{n}", n / 10_000, at=at)]
            if n % 100 == 0:
                drafts.append(said(f"dec_{n}", "fine", "key_1"))
            batch += [events.persist(each, seq, f"run_{n}") for seq, each in enumerate(drafts, 1)]
            secrets[PROJECT, f"run_{n}"] = WRAPPED
        await ledger.record(batch, secrets)


async def read(ledger: Any, limit: int) -> history.History:
    async def said_by(_: str) -> Current:
        return Current()

    return await history.read(
        ledger,
        open_secret,
        PROJECT,
        "production",
        limit=limit,
        known=lambda _: True,
        now=Current(),
        said_by=said_by,
    )


async def test_five_thousand_runs_take_a_handful_of_questions(ledger):
    """Each asks for a page, and no page is longer than the bound: so is what is held at once."""
    await fill(ledger)
    counted = Counted(ledger)

    found = await read(counted, DECISIONS_MAX)

    assert found.decisions == len(found.points) == DECISIONS_MAX
    assert len({point.decision_id for point in found.points}) == DECISIONS_MAX
    times = [point.at for point in found.points]
    assert times == sorted(times, reverse=True)
    assert sum(bool(point.votes) for point in found.points) == 50
    assert counted.asked == ["decisions", "feedback"] * (DECISIONS_MAX // PAGE)
    assert counted.longest <= PAGE

    few = Counted(ledger)
    assert (await read(few, 10)).points == found.points[:10]
    assert len(few.asked) == 2
