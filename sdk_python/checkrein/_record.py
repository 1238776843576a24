"""Observations from anywhere inside a run; outside of one they have no home, which is said once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

from checkrein import _runtime
from checkrein._chunks import items
from checkrein._conversation import new_part
from checkrein._run import Run, current_run
from checkrein._trust import Trust, provenance

log = logging.getLogger("checkrein")
T = TypeVar("T")
Text = str | Mapping[str, Any]
Money = tuple[int, str]
Access = Literal["created", "written", "read", "deleted", "passed"]
_said: set[str] = set()


def observe(
    *,
    request: str | None = None,
    plan: Any = None,
    context: Text | Sequence[Text] | None = None,
    retrieved: Text | Sequence[Text] | None = None,
    reasoning: str | None = None,
    model: Text | None = None,
    prompt_version: str | None = None,
    tools_available: Sequence[str] | None = None,
    external_state: Mapping[str, Any] | None = None,
) -> None:
    """Tell the current run what the agent knows. Sent with the next check, masked.

    plan         what the next calls should be, to compare with: as `checkrein.plan` takes it
    context      text or {"id", "source", "trusted", "text"}, one or several; untrusted unless said
                 otherwise. `retrieved` is another word for it
    reasoning    why the next call follows; it is told once
    model        {"provider", "id", "parameters"} or its name
    """
    run = _run("observe")
    if run is None:
        return
    run.observe(
        request=request,
        plan=plan,
        context=context,
        retrieved=retrieved,
        reasoning=reasoning,
        model=model,
        prompt_version=prompt_version,
        tools_available=tools_available,
        external_state=external_state,
    )


def retrieved(chunks: T, *, source: str | None = None, trust: Trust = "untrusted") -> T:
    """Mark what a search found as context of the run, and return it as it is.

    docs = checkrein.retrieved(index.search(question), source="handbook", trust="trusted")

    One chunk or several: text, mappings or objects with `text`, `page_content` or `content`, also
    beside a score. `trust` alone says whether they may be believed, not what they say themselves.
    """
    said = provenance(trust)
    run = _run("retrieved")
    if run is not None and said != "unseen":
        run.observe(context=[*items(chunks, source, trusted=said == "trusted")])
    return chunks


def record_model_call(
    *,
    provider: str | None = None,
    model: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    prompt_version: str | None = None,
    system: str | None = None,
    messages: Sequence[Any] = (),
    tools: Sequence[Any] = (),
    answer: Any = None,
    reasoning: str | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cached_tokens: int | None = None,
    cost: Money | None = None,
    duration_ns: int | None = None,
    api: str | None = None,
    response_model: str | None = None,
    finish_reason: str | None = None,
    error: str | None = None,
    agent_id: str | None = None,
    confidence: float | None = None,
) -> None:
    """What a language model was given and what it answered. `cost` is (integer minor units,
    currency). The next checks name this model; the next one also carries its reasoning. `agent_id`
    says who asked, where several agents share a run; `confidence` is from 0 to 1.

    Messages, tools and system prompt are told whole each time: what an earlier call of the run had
    is not sent again. `api` says in which form they are: `chat_completions`, `responses` or
    `messages`. Clients that are wrapped (`checkrein.wrap_openai`) do all of this by themselves.
    """
    run = _run("record_model_call")
    if run is None:
        return
    used = (input_tokens, output_tokens, cached_tokens)
    named = ("input_tokens", "output_tokens", "cached_tokens")
    usage = {name: count for name, count in zip(named, used, strict=True) if count is not None}
    note_model_call(
        run,
        system=system,
        messages=messages,
        tools=tools,
        provider=provider,
        id=model,
        parameters=dict(parameters or {}),
        prompt_version=prompt_version,
        answer=answer,
        reasoning=reasoning,
        usage={"input_tokens": 0, "output_tokens": 0, **usage} if usage else None,
        cost=_money(cost),
        duration_ns=_digits(duration_ns),
        api=api,
        response_model=response_model,
        finish_reason=finish_reason,
        error=error,
        status="failed" if error else None,
        agent_id=agent_id,
        confidence=None if confidence is None else f"{min(max(confidence, 0.0), 1.0):.6f}",
    )
    of_next = {"provider": provider, "id": model, "parameters": parameters}
    run.observe(
        model=of_next if model else None, prompt_version=prompt_version, reasoning=reasoning
    )


def note_model_call(
    run: Run,
    *,
    system: str | None,
    messages: Sequence[Any],
    tools: Sequence[Any],
    **fields: Any,
) -> None:
    """Keep a model call of this run, as far as no earlier one had it."""
    counts = _runtime.current().outbox.counts
    losses = (run.observed.dropped, counts["dropped"], counts["refused"])
    told = new_part(run, losses, system, messages, tools)
    run.note("model_call", **{**fields, **told})


def record_artifact(
    name: str,
    content: str | bytes | None = None,
    *,
    uri: str | None = None,
    media_type: str | None = None,
    keep_content: bool = True,
    path: str | None = None,
    access: Access | None = None,
    agent_id: str | None = None,
) -> None:
    """Something that the run made or touched. Its digest and size are those of the true content;
    the content itself is kept, masked, when it is text.

    `path` is kept in clear, so that runs are found by the files that they touched; `access` says
    what was done: created, written, read, deleted, or passed to another agent.
    """
    if access is not None and access not in get_args(Access):
        raise ValueError(f"access is one of {', '.join(get_args(Access))}")
    run = _run("record_artifact")
    if run is None:
        return
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    run.note(
        "artifact",
        name=name,
        uri=uri,
        media_type=media_type,
        digest=None if data is None else hashlib.sha256(data).hexdigest(),
        size=None if data is None else len(data),
        content=content if isinstance(content, str) and keep_content else None,
        path=path,
        access=access,
        agent_id=agent_id,
    )


def record_verification(
    name: str,
    *,
    passed: bool,
    output: str | None = None,
    kind: Literal["test", "build", "lint", "other"] | None = None,
    duration_ns: int | None = None,
    digest: str | None = None,
) -> None:
    """A test, build or check that the run's work went through. `digest` is of what was verified."""
    _note(
        "verification",
        name=name,
        status="passed" if passed else "failed",
        output=output,
        kind=kind,
        duration_ns=_digits(duration_ns),
        digest=digest,
    )


def record_handoff(
    to_agent: str,
    *,
    child_run_id: str | None = None,
    reason: str | None = None,
    kind: Literal["delegated", "escalated", "returned"] | None = None,
    digests: Sequence[str] = (),
    version: str | None = None,
    retry_owner: str | None = None,
) -> None:
    """Work that went to another agent: with which artifacts (by digest) and version of the shared
    state, and which of the two tries again when it fails."""
    _note(
        "handoff",
        to_agent=to_agent,
        child_run_id=child_run_id,
        reason=reason,
        kind=kind,
        digests=list(digests) or None,
        version=version,
        retry_owner=retry_owner,
    )


def record_shared_state(
    store: str,
    version: str,
    *,
    access: Literal["read", "written"] = "read",
    digest: str | None = None,
    agent_id: str | None = None,
) -> None:
    """State that agents share, as this one met it: which version it read, or made."""
    _note(
        "shared_state",
        store=store,
        version=version,
        access=access,
        digest=digest,
        agent_id=agent_id,
    )


def record_feedback(
    label: str, *, comment: str | None = None, decision_id: str | None = None
) -> None:
    """What somebody says about a decision, or about the run."""
    _note("feedback", label=label, comment=comment, decision_id=decision_id)


def record_message(role: str, text: str) -> None:
    """A message of the conversation."""
    _note("message", role=role, text=text)


def record_retry(
    kind: str = "retry",
    *,
    action_id: str | None = None,
    detail: str | None = None,
    number: int | None = None,
    route: str | None = None,
    retry_owner: str | None = None,
) -> None:
    """A retry, a timeout or a fallback of the agent's own: which attempt, to which other model or
    tool (`route`), and by whom."""
    if kind not in {"retry", "timeout", "fallback"}:
        raise ValueError("kind is retry, timeout or fallback")
    _note(
        "retry",
        kind=kind,
        action_id=action_id,
        detail=detail,
        number=number,
        route=route,
        retry_owner=retry_owner,
    )


def _note(kind: str, /, **fields: Any) -> None:
    run = _run(f"record_{kind}")
    if run is not None:
        run.note(kind, **fields)


def _digits(number: int | None) -> str | None:
    return None if number is None else str(number)


def _money(cost: Money | None) -> dict[str, Any] | None:
    return None if cost is None else {"value": cost[0], "currency": cost[1]}


def _run(asked: str) -> Run | None:
    run = current_run()
    if run is None and asked not in _said:
        _said.add(asked)
        log.warning("checkrein.%s() outside of `with run(...)` is not kept", asked)
    return run
