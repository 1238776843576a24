"""Instants that callers name, as the record writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, UnsetType

from gateway.domain import instants
from gateway.errors import BadRequest

Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its offset.")]


def as_recorded(moment: datetime | UnsetType) -> str | None:
    """The text that compares with those of the record. Raises BadRequest out of range."""
    if isinstance(moment, UnsetType):
        return None
    try:
        return instants.as_recorded(moment)
    except OverflowError:
        raise BadRequest("bad_parameter", "That time is out of range.") from None
