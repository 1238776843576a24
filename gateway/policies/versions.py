"""Where every policy version ever used is kept, as the rulebook needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class PolicyVersions(Protocol):
    """The part of the control store that keeps policy files by their digest, for ever."""

    async def save_version(
        self, digest: str, files: Mapping[str, str], commit: str | None, at: str
    ) -> None:
        """Keep a version; one that is there already stays as it is."""
        ...

    async def version_files(self, digest: str) -> Mapping[str, str] | None: ...

    async def versions(self) -> Sequence[Mapping[str, Any]]:
        """Newest first: digest, commit, saved_at."""
        ...
