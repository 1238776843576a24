"""The versions of the Intent Guard that this release holds, loaded when a record names them.

A record is proven by the version that made it, not by the one that runs now. A version whose model
or whose code is not here any more cannot be asked, and is not guessed at.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from gateway.intent.evaluator import Evaluator
from gateway.intent.inline import InlineAssessor
from gateway.intent.port import Assessor
from gateway.intent.versions import MODELS, VersionNotFound, read_model, version_of

# A model takes some megabytes, and a history rarely has more versions at once.
KEPT: Final = 4


class HeldVersions:
    """Assessors by version, the latest few kept."""

    def __init__(self, models: Path = MODELS) -> None:
        self._models = models
        self._loaded: dict[str, Assessor | None] = {}

    async def of(self, version: str) -> Assessor | None:
        """The assessor of a version, None where it is not held."""
        if version not in self._loaded:
            found = await asyncio.to_thread(self._load, version)
            while len(self._loaded) >= KEPT:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[version] = found
        return self._loaded[version]

    def _load(self, version: str) -> Assessor | None:
        # A record's word becomes a file's name only where such a folder is known.
        if version not in {path.parent.name for path in self._models.glob("*/model.json")}:
            return None
        try:
            model = read_model(version, self._models)
        except VersionNotFound:
            return None
        return InlineAssessor(Evaluator(version_of(model), model))


SHIPPED: Final = HeldVersions()
