"""Why a model step is not executed again. `code` is that of the problem which says so.

NotReExecutable
    Off                  no endpoint of that protocol is configured
    NoModelCall          the step is something else
    Incomplete           what the model was given is not all in the record
    BadCheck             a check that cannot be understood
EndpointTrouble
    Unreachable          no answer in time
    Refused              an answer, and it is an error
    Unreadable           an answer that is too large, or not what the protocol says
"""

from __future__ import annotations

from typing import ClassVar


class NotReExecutable(ValueError):
    """Nothing was sent."""

    code: ClassVar[str]


class Off(NotReExecutable):
    code = "re_execution_off"


class NoModelCall(NotReExecutable):
    code = "not_a_model_call"


class Incomplete(NotReExecutable):
    code = "model_call_incomplete"


class BadCheck(NotReExecutable):
    """`pointer` is the place in the request's body."""

    code = "bad_check"

    def __init__(self, text: str, pointer: str) -> None:
        super().__init__(text)
        self.pointer = pointer


class EndpointTrouble(Exception):
    """It was sent, and there is no answer to compare. It may have cost money all the same."""

    code: ClassVar[str]


class Unreachable(EndpointTrouble):
    code = "model_unreachable"


class Refused(EndpointTrouble):
    code = "model_refused"


class Unreadable(EndpointTrouble):
    code = "model_answer_unreadable"
