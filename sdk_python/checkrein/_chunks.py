"""Retrieved chunks in the shapes that indexes and frameworks give them, as context items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CHUNKS_MAX = 200
_TEXTS = ("text", "page_content", "content")


def items(chunks: Any, source: str | None, *, trusted: bool) -> Iterator[dict[str, Any]]:
    """At most 200, each with its text. No id is taken from a chunk: content must not be able to
    stand in the place of other content."""
    several = chunks if isinstance(chunks, list | tuple) else [chunks]
    for chunk in several[:CHUNKS_MAX]:
        # Beside a score, as `(chunk, 0.83)`.
        one = chunk[0] if isinstance(chunk, list | tuple) and chunk else chunk
        text = _text(one)
        if text is not None and text != "":
            yield {"text": text, "trusted": trusted, "source": source or _source(one)}


def _text(chunk: Any) -> Any:
    if chunk is None or isinstance(chunk, str):
        return chunk
    inner = _member(chunk, "node")
    for holder in (chunk, inner):
        for name in _TEXTS:
            found = _member(holder, name)
            if isinstance(found, str):
                return found
    return chunk


def _source(chunk: Any) -> str | None:
    for holder in (chunk, _member(chunk, "metadata")):
        found = _member(holder, "source")
        if isinstance(found, str):
            return found
    return None


def _member(holder: Any, name: str) -> Any:
    try:
        return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    except Exception:  # noqa: BLE001 - a property may do anything; this only looks
        return None
