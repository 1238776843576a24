"""`policy.yaml`: what environments do, what is known of tools, and data for rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.domain import pointers
from gateway.domain.ruleset import Budget, Calibration, Environment, ProjectIntent, ToolPolicy
from gateway.domain.verdicts import SIDE_EFFECTS, FailMode, Mode, SideEffect
from gateway.policies import globs, shapes, yaml_text
from gateway.policies.shapes import Mistake
from gateway.policies.source import MANIFEST
from gateway.policies.yaml_text import Document, YamlRefused

SCHEMA_ID = "https://checkrein.dev/schemas/policy.schema.json"

EffectOrAny = SideEffect | Literal["*"]
DefaultVerdict = Literal["allow", "warn", "require_approval", "block", "halt"]
# What of an assessment is a chance, and so can be calibrated.
CLOSEST = 0.0001 - 1e-9
CHANCES = ("score", "plan", "attribution", "consistency")
Share = Annotated[float, Meta(ge=0, le=1)]
Chance = Annotated[float, Meta(gt=0, lt=1)]


class CalibrationEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """score -> sigmoid(slope * log-odds + intercept), learnt from so many labels."""

    slope: Annotated[float, Meta(gt=0, description="1 leaves the log-odds as they are.")] = 1.0
    intercept: Annotated[float, Meta(description="Added to the log-odds.")] = 0.0
    labels: Annotated[int, Meta(ge=0, description="How many labels it was learnt from.")] = 0
    points: Annotated[
        tuple[tuple[Chance, Chance], ...],
        Meta(
            max_length=50,
            description="A table in place of the two numbers: from this chance to that, rising.",
        ),
    ] = ()


class ShadowEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds and calibration that judge nothing yet, and are counted beside those that do."""

    since: Annotated[
        str,
        Meta(
            pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$(?!\n)",
            description="From when on decisions are counted: what was learnt is from before.",
        ),
    ]
    budget: Annotated[
        Share, Meta(description="The share of fine calls that it may catch, before it is refused.")
    ] = 0.05
    thresholds: Annotated[
        dict[str, Share], Meta(description="By side effect or `*`; nothing else counts.")
    ] = {}
    calibration: Annotated[
        dict[str, CalibrationEntry], Meta(description="Of the `score`, from the project's labels.")
    ] = {}


class ProjectEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What is a project's own in an environment."""

    thresholds: Annotated[
        dict[str, Share], Meta(description="By side effect or `*`, over the environment's.")
    ] = {}
    calibration: Annotated[
        dict[str, CalibrationEntry], Meta(description="Of the `score`, from the project's labels.")
    ] = {}
    shadow: Annotated[
        ShadowEntry | None, Meta(description="A proposal on trial, which judges nothing.")
    ] = None


class EnvironmentEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """An environment as written. `stages` says per rule how far it has come here."""

    mode: Annotated[
        Mode, Meta(description="What is enforced at most: nothing (log), a warning, everything.")
    ]
    defaults: Annotated[
        dict[EffectOrAny, DefaultVerdict],
        Meta(description="The verdict per side effect when no rule governs the tool."),
    ] = {}
    fail: Annotated[
        dict[EffectOrAny, FailMode],
        Meta(description="Per side effect: what a rule that cannot be evaluated means."),
    ] = {}
    journal: Annotated[
        Literal["closed", "open", "spool"],
        Meta(
            description="What a check that cannot be remembered means: `closed` stops it, `open`"
            " leaves it to the fail mode, `spool` answers from an encrypted file on this machine,"
            " and leaves it to the fail mode when that is full."
        ),
    ] = "closed"
    budgets: Annotated[tuple[Budget, ...], Meta(description="What may be spent or called.")] = ()
    approval_seconds: Annotated[
        int, Meta(ge=1, le=30 * 86400, description="How long a person has for an answer.")
    ] = 3600
    thresholds: Annotated[
        dict[str, Share], Meta(description="From which score of an assessment rules act.")
    ] = {}
    projects: Annotated[
        dict[str, ProjectEntry], Meta(description="Project id to what is its own here.")
    ] = {}
    stages: Annotated[
        dict[str, Mode], Meta(description="Rule id to stage, in place of the rule's own.")
    ] = {}


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of policy.yaml."""

    environments: Annotated[dict[str, EnvironmentEntry], Meta(min_length=1)]
    tools: Annotated[
        tuple[ToolPolicy, ...], Meta(description="What is known of tools; the first match counts.")
    ] = ()
    data: Annotated[
        dict[str, Any], Meta(description="What rules see as `data`: limits, own domains.")
    ] = {}


def parse(text: str) -> tuple[Manifest | None, Document | None, list[str]]:
    """Read policy.yaml: the manifest and where its parts stand, or findings, all at once."""
    try:
        document = yaml_text.parse(text)
    except YamlRefused as refused:
        return None, None, [f"{MANIFEST}:{refused.line}: {refused.text}"]
    manifest, mistakes = shapes.convert(document.value, Manifest)
    if manifest is not None:
        mistakes = list(_senseless(manifest))
    return manifest, document, [located(document, mistake) for mistake in mistakes]


def located(document: Document, mistake: Mistake) -> str:
    """A mistake as `policy.yaml:line: place: text`."""
    line = document.line(mistake.path)
    return f"{MANIFEST}:{line}: {shapes.dotted(mistake.path)}: {mistake.text}"


def environment(entry: EnvironmentEntry) -> Environment:
    """The entry as the rest of the gateway knows it: without the stages, which are the rules'."""
    fields = {name: getattr(entry, name) for name in Environment.__struct_fields__}
    projects = {project: _project(own) for project, own in entry.projects.items()}
    return Environment(**{**fields, "projects": projects})


def _project(entry: ProjectEntry) -> ProjectIntent:
    calibration = {
        name: Calibration(told.slope, told.intercept, told.labels, told.points)
        for name, told in entry.calibration.items()
    }
    return ProjectIntent(dict(entry.thresholds), dict(calibration))


def schema() -> dict[str, Any]:
    """The JSON Schema of policy.yaml, for editors."""
    described = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Manifest)))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Checkrein policy.yaml",
        **described,
    }


def _senseless(manifest: Manifest) -> Iterator[Mistake]:
    """What has the right shape and still cannot be meant."""
    for name, entry in manifest.environments.items():
        place = ("environments", name)
        yield from _budget_mistakes(entry.budgets, (*place, "budgets"))
        yield from _unknown(entry.thresholds, (*SIDE_EFFECTS, "*"), (*place, "thresholds"))
        for project, own in entry.projects.items():
            inner = (*place, "projects", project)
            yield from _unknown(own.thresholds, (*SIDE_EFFECTS, "*"), (*inner, "thresholds"))
            yield from _unknown(own.calibration, CHANCES, (*inner, "calibration"))
            yield from _tables(own.calibration, (*inner, "calibration"))
            if (shadow := own.shadow) is not None:
                beside = (*inner, "shadow")
                yield from _unknown(
                    shadow.thresholds, (*SIDE_EFFECTS, "*"), (*beside, "thresholds")
                )
                yield from _unknown(shadow.calibration, CHANCES, (*beside, "calibration"))
                yield from _tables(shadow.calibration, (*beside, "calibration"))
    for index, tool in enumerate(manifest.tools):
        yield from _tool_mistakes(tool, ("tools", str(index)))
    for match, times in Counter(tool.match for tool in manifest.tools).items():
        if times > 1:
            yield Mistake(("tools",), f"`{match}` is listed {times} times; only the first counts")


def _tables(given: dict[str, CalibrationEntry], path: tuple[str, ...]) -> Iterator[Mistake]:
    for name, told in given.items():
        place = (*path, name, "points")
        for (at, gives), (then, more) in pairwise(told.points):
            # Closer than six decimals tell, they could not be taken back.
            if then - at < CLOSEST or more - gives < CLOSEST:
                yield Mistake(place, "both numbers rise from point to point, by 0.0001 at least")
                break
        if told.points and (told.slope, told.intercept) != (1.0, 0.0):
            yield Mistake(place, "give either a table or a slope and an intercept")


def _unknown(
    given: Iterable[str], known: tuple[str, ...], path: tuple[str, ...]
) -> Iterator[Mistake]:
    for key in given:
        if key not in known:
            words = ", ".join(known)
            text = f"`{key}` is not one of {words}{shapes.nearest(key, known)}"
            yield Mistake((*path, key), text)


def _budget_mistakes(budgets: tuple[Budget, ...], path: tuple[str, ...]) -> Iterator[Mistake]:
    for name, times in Counter(budget.name for budget in budgets).items():
        if times > 1:
            yield Mistake(path, f"{times} budgets have the name `{name}`")
    for index, budget in enumerate(budgets):
        place = (*path, str(index))
        if budget.measure == "spend" and not _is_currency(budget.currency or ""):
            text = "a budget of spend needs a `currency`, like USD"
            yield Mistake(place, text)
        if budget.measure == "calls" and budget.currency is not None:
            yield Mistake((*place, "currency"), "a budget of calls has no currency")
        if budget.window == "run" and budget.scope != "run":
            text = f"a budget of a {budget.scope} needs a `window`: minute, hour, day or month"
            yield Mistake(place, text)
        yield from _glob_mistakes(budget.tools, (*place, "tools"))


def _tool_mistakes(tool: ToolPolicy, path: tuple[str, ...]) -> Iterator[Mistake]:
    yield from _glob_mistakes((tool.match,), path)
    for pointer in tool.recipients:
        yield from _pointer_mistakes(pointer, (*path, "recipients"))
    amount = tool.amount
    if amount is None:
        return
    place = (*path, "amount")
    yield from _pointer_mistakes(amount.pointer, place)
    if (amount.currency is None) == (amount.currency_pointer is None):
        yield Mistake(place, "give either `currency` or `currency_pointer`")
    if amount.currency_pointer is not None:
        yield from _pointer_mistakes(amount.currency_pointer, place)
    if amount.currency is not None and not _is_currency(amount.currency):
        yield Mistake(place, "a currency is three capital letters, like USD")


def _pointer_mistakes(pointer: str, path: tuple[str, ...]) -> Iterator[Mistake]:
    try:
        steps = pointers.parse(pointer)
    except ValueError as error:
        yield Mistake(path, str(error))
        return
    if not steps:
        yield Mistake(path, "a pointer names a field of the arguments, like /amount")


def _glob_mistakes(tools: tuple[str, ...], path: tuple[str, ...]) -> Iterator[Mistake]:
    for glob in tools:
        if (trouble := globs.trouble(glob)) is not None:
            yield Mistake(path, trouble)


def _is_currency(currency: str) -> bool:
    return len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()
