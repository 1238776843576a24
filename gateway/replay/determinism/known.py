"""Everything that was said in a run so far, so that a value can be told from one made up."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.replay.frames import ReplayFrame

# So much of the newest content is searched; what is older does not excuse a value any more, so it
# is counted, and the score says so.
CHARS_MAX: Final = 4_000_000
_FRAME_PARTS: Final = (
    *("request", "context", "history", "external_state", "model", "tools_available"),
)


class Known:
    """A pool of text. Numbers and names are looked for as they are written in JSON."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._chars = 0
        self.forgotten = 0

    def add(self, frame: ReplayFrame) -> None:
        """What a frame says, besides the arguments of a call: they are what is asked about."""
        content = frame.content
        if frame.type == "decision":
            seen = content.get("frame")
            known = seen if isinstance(seen, dict) else {}
            for name in _FRAME_PARTS:
                self._keep(known.get(name))
            self._keep([frame.body.get("action_id"), frame.body.get("call_id"), frame.turn_id])
            return
        for value in content.values():
            self._keep(value)
        self._keep(frame.body)
        self._keep(frame.turn_id)

    def tell(self, value: Any) -> None:
        """A value that was asked about: when it comes again it is not new."""
        self._keep(value)

    def says(self, text: str) -> bool:
        """Whether a text was said, in any case of letters."""
        wanted = text.lower()
        return bool(wanted) and any(wanted in each for each in self._texts)

    def _keep(self, value: Any) -> None:
        if value in (None, "", [], {}):
            return
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        text = text.lower()
        if text in self._texts:
            return
        self._texts[text] = None
        self._chars += len(text)
        while self._chars > CHARS_MAX and len(self._texts) > 1:
            oldest = next(iter(self._texts))
            del self._texts[oldest]
            self._chars -= len(oldest)
            self.forgotten += 1
