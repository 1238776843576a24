"""Storing a batch of which some events may be refused: the others must not wait for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.errors import EventRefused, StorageFailure
from gateway.storage.ports import Ledger
from gateway.worker.finishing import Finished

Place = tuple[str, str]

# After so many failures in a row it is the store that fails, not a record.
FAILURES = 16


class Sifting:
    """One pass over one batch. `refused` are events that the ledger will not take as they are."""

    def __init__(self, ledger: Ledger, secrets: Mapping[Place, bytes]) -> None:
        self._ledger = ledger
        self._secrets = secrets
        self._stuck: set[Place] = set()
        self._in_a_row = 0
        self.refused: list[Finished] = []
        self.failure: StorageFailure | None = None

    async def store(self, finished: Sequence[Finished]) -> list[Finished]:
        """Record all that can be, halving the batch where it fails; return what was recorded.

        Behind an event that was not, those of the same run are left alone. Raises StorageFailure
        when the ledger takes nothing at all.
        """
        ready = [each for each in finished if _place(each) not in self._stuck]
        if not ready:
            return []
        try:
            await self._ledger.record([each.persist for each in ready], self._secrets)
        except StorageFailure as failure:
            return await self._halve(ready, failure)
        self._in_a_row = 0
        return ready

    async def _halve(self, ready: list[Finished], failure: StorageFailure) -> list[Finished]:
        if not isinstance(failure, EventRefused):
            self.failure = failure
            self._in_a_row += 1
            if self._in_a_row > FAILURES:
                raise failure
        if len(ready) == 1:
            self._stuck.add(_place(ready[0]))
            if isinstance(failure, EventRefused):
                self.refused += ready
            return []
        half = len(ready) // 2
        return [*await self.store(ready[:half]), *await self.store(ready[half:])]


def _place(finished: Finished) -> Place:
    return (finished.claim.project_id, finished.claim.run_id)
