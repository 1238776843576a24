"""What `checkrein doctor` says of one thing: its state, why, and the command that mends it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

State = Literal["ok", "note", "failed", "skipped"]


class Finding(Struct, frozen=True):
    """`mend` is a command, or empty when there is nothing to mend."""

    what: str
    state: State
    reason: str
    mend: str = ""
