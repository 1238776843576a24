"""Where every policy version ever used is kept, as the rulebook needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.domain.ruleset import Ruleset
from gateway.errors import NotFound
from gateway.policies import load


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


async def kept(versions: PolicyVersions, digest: str) -> Ruleset:
    """A version by its digest, compiled anew. Raises NotFound, PolicyInvalid."""
    files = await versions.version_files(digest)
    if files is None:
        raise NotFound("policy_not_found", "There is no policy version of that digest.")
    commits = {version["digest"]: version["commit"] for version in await versions.versions()}
    return await asyncio.to_thread(load.load, files, commits.get(digest))
