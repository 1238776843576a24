"""Erasure of a run, a subject or a project: what its content can be opened with is destroyed.

Events, hashes, chain and log stay, so every proof that was given still holds; what people and
agents wrote is ciphertext that nothing opens any more. The key above goes first: from then on it is
done, whatever happens. An erasure that was interrupted is asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from gateway.ambient import Ambient
from gateway.domain.instants import rfc3339
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Control, Erased, ErasedWhat, Journal, Ledger

PAGE = 500
# So long is waited for what is on its way into the record; what is not there then is lost, and says
# so in its place.
WAIT_SECONDS = 5.0
LOOK_SECONDS = 0.05


class Target(Struct, frozen=True):
    """What is to be erased. `id` is a run's, a user's, or the project's own."""

    project_id: str
    what: ErasedWhat
    id: str

    @property
    def user_id(self) -> str | None:
        return self.id if self.what == "subject" else None


class Extent(Struct, frozen=True):
    """What an erasure takes away: the content of so many events in so many runs.

    `runs` names the first of them. Those that were erased before do not count.
    """

    run_count: int
    event_count: int
    runs: list[str]
    first_started_at: str | None
    last_at: str | None


class Eraser:
    """Erases in every store, and in the memory of this process."""

    def __init__(
        self, ledger: Ledger, journal: Journal, control: Control, keyring: Keyring, ambient: Ambient
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._control = control
        self._keyring = keyring
        self._ambient = ambient

    async def extent(self, target: Target, named: int = 20) -> Extent:
        """What would be lost, first."""
        count = events = 0
        runs: list[str] = []
        first = last = None
        after = ""
        while page := await self._page(target, after):
            for run_id in page:
                row = await self._ledger.run(target.project_id, run_id)
                if row is None:
                    continue
                count += 1
                events += row["events"]
                first = min(first or row["started_at"], row["started_at"])
                last = max(last or row["last_at"], row["last_at"])
            runs += page[: max(0, named - len(runs))]
            after = page[-1]
        return Extent(count, events, runs, first, last)

    async def erase(self, target: Target, by: str) -> list[str]:
        """Destroy it; return where copies of what was destroyed stay, and until when.

        Asked for again it destroys what came since.
        """
        await self._settled(target)
        erased = Erased(rfc3339(self._ambient.now_ns()), target.what, by)
        if target.what != "run":
            await self._control.destroy_keys(target.project_id, target.user_id)
        self._keyring.forget()
        self._journal.forget_keys()
        after = ""
        while page := await self._page(target, after):
            # The journal first: what is read from it is written into the ledger.
            await self._journal.erase(target.project_id, page)
            await self._ledger.erase(target.project_id, page, erased)
            after = page[-1]
        self._journal.forget_keys()
        stores = (self._journal, self._ledger, self._control)
        return [each for store in stores for each in await store.scrub()]

    async def _page(self, target: Target, after: str) -> Sequence[str]:
        if target.what != "run":
            return await self._ledger.to_erase(target.project_id, target.user_id, after, PAGE)
        known = await self._ledger.run(target.project_id, target.id) is not None
        if after or not known or await self._ledger.erased(target.project_id, target.id):
            return ()
        return (target.id,)

    async def _settled(self, target: Target) -> None:
        """Wait for what the journal still holds of it."""
        last = self._ambient.monotonic() + WAIT_SECONDS
        while not await self._is_recorded(target):
            if self._ambient.monotonic() >= last:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_recorded(self, target: Target) -> bool:
        if target.what != "run":
            return (await self._journal.figures()).waiting == 0
        place = (target.project_id, target.id)
        return await self._ledger.last_seq(*place) >= await self._journal.last_seq(*place)
