"""What a simulation raises, apart from what the recorded run raised itself.

CheckreinError (Exception)
  NotReplayable        the record has nothing to serve for this call; it did not run
  CallLeft             something tried to reach the network
  RecordingUnreadable  there is no such recording, or it cannot be read
RecordedError (Exception)
                       what a tool raised when it was recorded
"""

from __future__ import annotations

import builtins

from checkrein._errors import CheckreinError


class NotReplayable(CheckreinError):
    """The record cannot answer for this call. `why` is the reason in short: `extra`, `name`,
    `input`, `output type`, `output cut`, or why the output is not stored."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


class CallLeft(CheckreinError):
    """A simulation reaches nothing: whatever opens a connection is to be guarded, or recorded."""


class RecordingUnreadable(CheckreinError):
    """There is no such run or file, or it is no recording."""


class RecordedError(Exception):
    """What a tool raised in the recorded run. `type` is the name that its class had.

    It is also of the built-in class of that name, so that `except ValueError` still catches it. For
    any other class, `except RecordedError` does, or the tool's own codec.
    """

    def __init__(self, type: str, message: str) -> None:
        Exception.__init__(self, message)
        self.type = type
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"RecordedError({self.type!r}, {self.message!r})"


def recorded_error(type_: str, message: str) -> RecordedError:
    """The error as it is raised again."""
    known = getattr(builtins, type_, None)
    if isinstance(known, type) and issubclass(known, Exception) and known is not Exception:
        made: type[RecordedError] = type(type_, (RecordedError, known), {})
        return made(type_, message)
    return RecordedError(type_, message)
