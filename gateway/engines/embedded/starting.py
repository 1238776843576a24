"""How an evaluator process is started, from its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.children.process import Start
from gateway.engines.embedded import child
from gateway.engines.embedded.limits import Limits

SCRIPT: Final = Path(child.__file__)


def how_to_start(limits: Limits) -> Start:
    numbers = (
        limits.memory_bytes,
        limits.evaluate_cpu,
        limits.prepare_cpu,
        limits.reply_bytes,
        limits.resident_bytes,
    )
    return Start(
        script=SCRIPT,
        modules=("regorus", "gateway"),
        arguments=tuple(str(number) for number in numbers),
        # JSON text in UTF-8 has at most four bytes for a character.
        reply_bytes=4 * limits.reply_bytes,
        wall=limits.start_wall,
    )
