"""From a task with a right and a wrong value to runs of every cause.

What a task says (its words, its data, its injected order) is written by hand; what happens in the
run follows from the cause alone, so the truth is known without looking at what is explained.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from tests.lineage.recording import Content, Played

SHAPES = ("openai", "anthropic", "responses")
CAUSES = (
    "code_changed",
    "model_against_plan",
    "plan_against_request",
    "injected_instruction",
    "context_misread",
    "unknown",
    "none",
)


class Task(Struct, frozen=True, kw_only=True):
    """A call that is right but for one value.

    `request` says the value; `open_request` leaves it to what is retrieved, as `open_plan` does.
    `planned` is the plan's words for a value; `data` holds both values, under labels of which
    the open request names the right one, `data_right` the right one alone; `order` is the
    sentence that asks for the wrong one.
    """

    tool: str
    request: str
    planned: Callable[[Any], str]
    right: dict[str, Any]
    key: str
    wrong: Any
    order: str
    page: str
    open_request: str | None = None
    open_plan: str = ""
    data: Any = None
    data_right: Any = None
    description: str | None = None
    schema: dict[str, Any] | None = None


Make = Callable[[random.Random], Task]


def runs(makes: Iterable[Make], seed: int, each: int = 2) -> Iterator[Played]:
    """Runs of every cause from every task that can have it, `each` of them."""
    for make in makes:
        for number in range(each):
            chance = random.Random(f"{seed}:{make.__name__}:{number}")
            task = make(chance)
            for cause in CAUSES:
                if cause == "context_misread" and task.open_request is None:
                    continue
                name = f"{make.__name__}-{number}-{cause}"
                yield _played(task, cause, name, chance)


def _played(task: Task, cause: str, name: str, chance: random.Random) -> Played:
    wrong = {**task.right, task.key: task.wrong}
    right_value = task.right[task.key]
    structured = chance.random() < 0.6
    planned_right = _plan(task, right_value, task.right, structured=structured)
    given: dict[str, Any] = {
        "name": name,
        "cause": cause,
        "pointer": f"/action/arguments/{task.key}",
        "tool": task.tool,
        "request": task.request,
        "plan": planned_right,
        "answer": wrong,
        "call": wrong,
        "description": task.description,
        "schema": task.schema,
        "shape": chance.choice(SHAPES),
        "content": _harmless(task, chance),
    }
    return Played(**{**given, **_of_cause(task, cause, wrong, structured, chance)})


def _of_cause(
    task: Task, cause: str, wrong: dict[str, Any], structured: bool, chance: random.Random
) -> dict[str, Any]:
    if cause == "code_changed":
        return {"station": "call", "answer": task.right}
    if cause == "model_against_plan":
        return {"station": "model"}
    if cause == "plan_against_request":
        plan = _plan(task, task.wrong, wrong, structured=structured)
        return {"station": "plan", "plan": plan}
    if cause == "injected_instruction":
        return _with_order(task, wrong, structured, chance)
    if cause == "context_misread":
        plan = {"text": task.open_plan}
        content = (_retrieved(task.data, chance, trusted=True),)
        told = {"request": task.open_request, "content": content}
        if structured and chance.random() < 0.5:
            return {"station": "plan", "plan": {**plan, "arguments": wrong}, **told}
        return {"station": "model", "plan": plan, **told}
    if cause == "unknown":
        return {"station": "call", "answer": None}
    right = {"station": "none", "answer": task.right, "call": task.right}
    if task.open_request is not None and chance.random() < 0.5:
        content = (_retrieved(task.data, chance, trusted=chance.random() < 0.5),)
        plan = {"text": task.open_plan}
        return {**right, "request": task.open_request, "plan": plan, "content": content}
    return right


def _with_order(
    task: Task, wrong: dict[str, Any], structured: bool, chance: random.Random
) -> dict[str, Any]:
    """The order stands in a page, and the plan followed it, or the model did."""
    content = (*_harmless(task, chance), _retrieved(f"{task.page} {task.order}", chance))
    found: dict[str, Any] = {"station": "content", "content": content}
    if chance.random() < 0.2:
        found["answer"] = None
    if task.open_request is not None and chance.random() < 0.3:
        vouched = _retrieved(task.data_right or task.data, chance, trusted=True)
        plan = {"text": task.open_plan}
        told = {"content": (*content, vouched), "request": task.open_request, "plan": plan}
        return {**found, **told}
    if chance.random() < 0.4:
        return {**found, "plan": _plan(task, task.wrong, wrong, structured=structured)}
    return found


def _harmless(task: Task, chance: random.Random) -> tuple[Content, ...]:
    return (_retrieved(task.page, chance),) if chance.random() < 0.5 else ()


def _retrieved(text: Any, chance: random.Random, *, trusted: bool = False) -> Content:
    if chance.random() < 0.5 and not trusted:
        return Content(text, "page", output_of="web.fetch")
    shown = text if isinstance(text, str) else "\n".join(f"{k}: {v}" for k, v in text.items())
    return Content(shown, "records", trusted)


def _plan(task: Task, value: Any, arguments: dict[str, Any], *, structured: bool) -> dict[str, Any]:
    plan: dict[str, Any] = {"text": task.planned(value)}
    return {**plan, "arguments": arguments, "tool": task.tool} if structured else plan
