"""What callers report after a decision: the result of a call, and batches of observations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.domain.check import Amount, RunRef
from gateway.domain.observations import Digits, Observation, Short


class ResultError(Struct, frozen=True, forbid_unknown_fields=True):
    """What the tool raised."""

    type: Short | None = None
    message: Annotated[str, Meta(max_length=65_536)] | None = None


class ResultReport(Struct, frozen=True, forbid_unknown_fields=True):
    """The outcome of a call that was let through: the body of `POST /v1/decisions/{id}/result`.

    `output` is kept sealed; a caller that opted out sends `output_digest` alone.
    """

    status: Literal["succeeded", "failed"]
    output: Any = None
    output_digest: Short | None = None
    error: ResultError | None = None
    duration_ns: Digits | None = None
    cost: Amount | None = None
    truncated: bool = False


class ResultReply(Struct, frozen=True):
    """`repeated` is true when the very same result had been reported before."""

    decision_id: str
    run_id: str
    action_id: str
    status: Literal["succeeded", "failed"]
    repeated: bool


class EventBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Observations of one run: the body of `POST /v1/events`."""

    run: RunRef
    events: Annotated[list[Observation], Meta(min_length=1, max_length=1000)]


class EventsReply(Struct, frozen=True):
    """Where the batch went: seq of its first event, and how many."""

    run_id: str
    first_seq: int
    count: int


class RunOpened(Struct, frozen=True):
    """A run, as `POST /v1/runs` made or found it."""

    run_id: str
    created: bool


class RunEnd(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/runs/{run_id}/end`."""

    status: Literal["succeeded", "failed", "paused", "escalated", "rolled_back"]
    output: Any = None
    error: Annotated[str, Meta(max_length=65_536)] | None = None


FeedbackLabel = Literal["correct_block", "false_alarm", "missed", "fine", "unsure"]


class FeedbackReport(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says about a decision: the body of `POST /v1/decisions/{id}/feedback`.

    `correct_block` and `missed` say that the call was not what was asked for, `false_alarm` and
    `fine` that it was. `by` names the person for others to read; who counts as the labeller is the
    key. Comment and name are kept sealed.
    """

    label: FeedbackLabel
    comment: Annotated[str, Meta(max_length=4096)] | None = None
    by: Short | None = None


class FeedbackReply(Struct, frozen=True):
    """Where the label went. Of a labeller's labels on one decision the latest counts."""

    decision_id: str
    run_id: str
    label: FeedbackLabel
    labeller: str
    seq: int


class FeedbackBody(Struct, frozen=True):
    """The evidence of a person's `feedback`. `labeller` is the id of the key that said it, which
    no observation can name. Comment and name are content: the part `observation`."""

    decision_id: str
    label: FeedbackLabel
    labeller: str
