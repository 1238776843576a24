"""How a command ends: the exit codes that scripts may rely on, and errors that say what to do next.

0  done, and everything is as it should be
1  done, and something is not as it should be: a finding, a failed test, a broken chain
2  the command, a setting or a policy could not be understood
3  the data folder is in use by another gateway
4  there is no such run, key or folder
5  the gateway cannot be reached, or did not accept the key
"""

from __future__ import annotations

from typing import Final

from gateway.errors import CheckreinError

FOUND: Final = 1
USAGE: Final = 2
IN_USE: Final = 3
ABSENT: Final = 4
UNREACHABLE: Final = 5
UNFORESEEN: Final = 6


class Failure(CheckreinError):
    """A command that cannot be done. `next_step` is a command or a sentence, one line."""

    def __init__(self, message: str, next_step: str, code: int = FOUND) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.code = code
