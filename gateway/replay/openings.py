"""What a walk over many runs remembers of each: the same runs come up again page after page."""

from __future__ import annotations

from typing import Final

from gateway.domain.blobs import run_keys
from gateway.domain.joining import Joining
from gateway.replay.opening import Opening

RUNS_MAX: Final = 1024
REMEMBERED_BYTES: Final = 64 * 1024 * 1024

Run = tuple[str, str]


class Openings:
    """The runs of one walk, bounded in number and bytes. For one project's walk, and gone with it.

    A run counts as it can be opened now: page after page its secret is asked for, and once that is
    gone nothing is remembered of what it opened.
    """

    def __init__(self, runs_max: int = RUNS_MAX, remembered_bytes: int = REMEMBERED_BYTES) -> None:
        self._runs_max = runs_max
        self._most = remembered_bytes
        # Also runs of one project repeat each other.
        self._joining = Joining()
        self._known: dict[Run, tuple[bytes, Opening]] = {}

    @property
    def size(self) -> int:
        """How many bytes of unsealed parts are remembered."""
        return sum(opening.size for _, opening in self._known.values())

    def of(self, run: Run, secret: bytes | None) -> Opening:
        """The run as this secret opens it; None is that of an erased one."""
        found = self._known.get(run)
        if found is not None and found[0] != secret:
            self._forget()
            found = None
        if secret is None:
            return Opening(None, self._joining)
        if found is None:
            found = self._known[run] = (secret, Opening(run_keys(secret), self._joining))
        return found[1]

    def trim(self) -> None:
        """Begin anew when there is too much."""
        if len(self._known) > self._runs_max or self.size > self._most:
            self._forget()

    def _forget(self) -> None:
        """All of it, since what was joined is not told apart by run."""
        self._joining = Joining()
        self._known.clear()
