"""What guarded calls brought back, as context of their run: the agent has read it, and what it does
next may come from there."""

from __future__ import annotations

from typing import Any

import msgspec

from checkrein._masking import Masker
from checkrein._run import Run
from checkrein._sizes import RESULT_BYTES, short
from checkrein._tool import Tool

_NOTHING: tuple[Any, ...] = (None, "", [], {})


def remember_output(run: Run, tool: Tool, masked: Any) -> None:
    """An output, plain and masked. Its tool says whether it may be believed."""
    if masked in _NOTHING or tool.options.trust == "unseen":
        return
    text = masked if isinstance(masked, str) else msgspec.json.encode(masked).decode()
    _keep(run, tool, text, trusted=tool.options.trust == "trusted")


def remember_error(run: Run, tool: Tool, masker: Masker, error: dict[str, str]) -> None:
    """An error's text is read by the agent, too; whoever can cause one can write there."""
    if tool.options.trust != "unseen" and error["message"]:
        text = masker.text(f"{error['type']}: {error['message']}")
        _keep(run, tool, text, trusted=False)


def _keep(run: Run, tool: Tool, text: str, *, trusted: bool) -> None:
    text = short(text, RESULT_BYTES)
    source = run.observed.masker.text(tool.name)
    run.observed.see(run.observed.item(source, text, trusted=trusted), result=True)
