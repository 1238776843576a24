"""What a guarded call can raise. Texts are written for the agent: a reason, one next step, an id.

    CheckreinError (Exception)
      Blocked            the call was judged and must not run
        ApprovalDenied   a person refused, or nobody answered in time
      ApprovalRequired   the call waits for a person
      Unavailable        the call could not be checked, and the fail mode denies it
    Halted (BaseException)
                         the run is over

`Halted` stands apart on purpose. Agents retry inside `except Exception`; a run that was ended
because it would not stop must not be kept alive by exactly that loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from checkrein._decision import Decision


class CheckreinError(Exception):
    """The root of what a guarded call can raise, except `Halted`."""


class Blocked(CheckreinError):
    """The call was judged and did not run. Asking for the same thing again will not help."""

    def __init__(self, message: str, decision: Decision | None = None) -> None:
        super().__init__(message)
        self.decision = decision


class ApprovalDenied(Blocked):
    """A person refused the call, or nobody answered before it expired."""


class Unavailable(CheckreinError):
    """The call could not be checked, so it did not run. `detail` is for developers."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Halted(BaseException):
    """The run was ended. Not an `Exception`, so that no retry swallows it."""

    def __init__(self, message: str, decision: Decision | None = None) -> None:
        super().__init__(message)
        self.decision = decision


class ApprovalRequired(CheckreinError):
    """The call waits for a person.

    try:
        refund("cus_1", 4500)
    except ApprovalRequired as pending:
        pending.wait(600)            # raises ApprovalDenied unless a person approves
        refund("cus_1", 4500)        # the same call now carries the approval
    """

    def __init__(
        self, message: str, decision: Decision | None, approval: Callable[[], str], granted: Grant
    ) -> None:
        super().__init__(message)
        known = decision.approval if decision is not None else None
        self.decision = decision
        self.approval_id = known.id if known else ""
        self.url = known.url if known else None
        self.expires_at = known.expires_at if known else None
        self._status = approval
        self._granted = granted

    def wait(self, timeout: float = 300.0, poll: float = 1.0) -> None:
        """Return once approved. Raises `ApprovalDenied`, or `TimeoutError` after `timeout` s."""
        end = time.monotonic() + timeout
        while not self._settled():
            if time.monotonic() + poll > end:
                raise TimeoutError(f"No decision on approval {self.approval_id} yet.")
            time.sleep(poll)

    async def wait_async(self, timeout: float = 300.0, poll: float = 1.0) -> None:
        """`wait`, without stopping the event loop."""
        import asyncio  # noqa: PLC0415 - agents without an event loop need not pay for it

        end = time.monotonic() + timeout
        while not await asyncio.to_thread(self._settled):
            if time.monotonic() + poll > end:
                raise TimeoutError(f"No decision on approval {self.approval_id} yet.")
            await asyncio.sleep(poll)

    def _settled(self) -> bool:
        status = self._status()
        if status == "approved":
            self._granted()
            return True
        if status in {"denied", "expired"}:
            raise ApprovalDenied(f"This call was not approved ({status}).", self.decision)
        return False


Grant = Callable[[], None]
