"""Why there is no decision. Internal: an agent sees `Unavailable`, or its call runs as a gap.

Trouble
  Unreachable   nothing answered within the deadline
  Malformed     something answered, and it was not a decision
  Refused       the gateway answered that it will not judge this call (4xx)
  StoreAway     the gateway cannot record, and says which fail mode holds
"""

from __future__ import annotations


class Trouble(Exception):
    """No decision. `detail` is for developers; `hint` says what to do next."""

    kind = "error"

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(f"{detail} {hint}".strip())
        self.detail = detail
        self.hint = hint


class Unreachable(Trouble):
    """No answer. `retry` is true where the connection itself failed, so nothing was read."""

    kind = "unreachable"

    def __init__(self, detail: str, hint: str = "", *, retry: bool = False) -> None:
        super().__init__(detail, hint)
        self.retry = retry


class Malformed(Trouble):
    kind = "malformed"


class Refused(Trouble):
    """A 4xx problem: `status` and the stable `code` of the problem document."""

    kind = "refused"

    def __init__(self, detail: str, hint: str = "", *, status: int, code: str = "") -> None:
        super().__init__(detail, hint)
        self.status = status
        self.code = code


class StoreAway(Trouble):
    """503 `journal_unavailable`: `open` is the gateway's own fail mode for this environment."""

    kind = "journal"

    def __init__(self, detail: str, *, open: bool) -> None:
        super().__init__(detail)
        self.open = open
