"""Every way in which Checkrein refuses to give a decision, and how it says so.

A denial is a `Decision`, never an exception. An exception here means that there is no decision
to give.

    CheckreinError
      Problem                     answered to a caller as RFC 9457 problem details
        BadRequest                the body, a parameter or a header cannot be accepted
        Unauthenticated           no key, or a key that is not valid
        Forbidden                 a valid key without the scope
        NotFound                  nothing of that id in this project
        MethodNotAllowed
        Conflict                  the same id with other content
        TooLarge
        UnsupportedMediaType
        TooManyRequests
        Unavailable               a store or the policy is away: the fail mode decides
        Unexpected                anything else; says nothing about the inside
      PolicyInvalid               a policy folder that must not become active
      EngineUnavailable           no evaluator could be started
      StorageFailure              a store refused or lost a write
        EventRefused              the ledger will not take this event, however often it is sent
        RecordAway                what lies behind the journal is away, the journal is not
      ConfigInvalid               a setting that is wrong or unknown
"""

from __future__ import annotations

from typing import Any, ClassVar

PROBLEM_BASE = "https://checkrein.dev/problems/"


class CheckreinError(Exception):
    """The root; nothing raises it itself."""


class Problem(CheckreinError):
    """A refusal with a stable `code`; `pointer` names the place in the body (RFC 6901)."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "unexpected"
    title: ClassVar[str] = "Something went wrong inside the gateway."

    def __init__(
        self,
        code: str | None = None,
        detail: str = "",
        *,
        pointer: str | None = None,
        retry_after: int | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.code = code or self.default_code
        self.detail = detail
        self.pointer = pointer
        self.retry_after = retry_after
        self.extra = extra or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """The RFC 9457 document. `errors` carries the pointer, where there is one."""
        document: dict[str, Any] = {
            "type": PROBLEM_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail or self.title,
            "request_id": request_id,
        }
        if self.pointer is not None:
            document["errors"] = [{"pointer": self.pointer, "detail": self.detail or self.title}]
        return {**document, **self.extra}


class BadRequest(Problem):
    status = 400
    default_code = "bad_request"
    title = "The request cannot be accepted as it is."


class Unauthenticated(Problem):
    status = 401
    default_code = "unauthenticated"
    title = "A valid API key is needed."


class Forbidden(Problem):
    status = 403
    default_code = "forbidden"
    title = "This key may not do that."


class NotFound(Problem):
    status = 404
    default_code = "not_found"
    title = "There is nothing of that name in this project."


class MethodNotAllowed(Problem):
    status = 405
    default_code = "method_not_allowed"
    title = "This address does not answer that method."


class Conflict(Problem):
    status = 409
    default_code = "conflict"
    title = "That id is already taken by something else."


class TooLarge(Problem):
    status = 413
    default_code = "body_too_large"
    title = "The body is larger than the limit."


class UnsupportedMediaType(Problem):
    status = 415
    default_code = "unsupported_media_type"
    title = "The body must be application/json, without content encoding."


class TooManyRequests(Problem):
    status = 429
    default_code = "too_many_requests"
    title = "Too many requests at once."


class Unavailable(Problem):
    status = 503
    default_code = "unavailable"
    title = "The gateway cannot decide right now, so nothing was decided."


class Unexpected(Problem):
    """Anything that nobody foresaw."""


class PolicyInvalid(CheckreinError):
    """A policy folder that must not become active; `findings` are lines for a person."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings[:3]))
        self.findings = findings


class EngineUnavailable(CheckreinError):
    """No evaluator could be started."""


class StorageFailure(CheckreinError):
    """A store refused or lost a write; what was queued behind it failed with it."""


class SpoolFull(StorageFailure):
    """The spool holds as much as it may, so that it takes no more."""


class EventRefused(StorageFailure):
    """The ledger will not take this event, however often it is sent: a seq is missing before it,
    or it breaks a constraint."""


class RecordAway(StorageFailure):
    """What lies behind the journal cannot be read now: old runs, and the keys of content. It says
    nothing about the journal itself."""


class ConfigInvalid(CheckreinError):
    """A setting that is wrong or unknown; the text says which and what to write instead."""
