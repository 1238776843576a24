"""The `# METADATA` block above a package: OPA's annotation, with our fields under `custom`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from gateway.domain import pointers
from gateway.domain.ruleset import JsonType, Severity
from gateway.domain.verdicts import Mode, SideEffect
from gateway.policies import globs, shapes, yaml_text
from gateway.policies.shapes import Mistake
from gateway.policies.yaml_text import YamlRefused

MARKER = "# METADATA"
RuleId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]


class DataRef(Struct, frozen=True, forbid_unknown_fields=True):
    """A limit that stands in policy.yaml's `data`: `{data: limits.calls}`."""

    data: str


class ReadEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A predicate on the run's state: `{counter, plus, at_most}` or `{label_absent}`."""

    counter: str | None = None
    plus: int = 1
    at_most: int | DataRef | None = None
    label_absent: str | None = None


class Custom(Struct, frozen=True, forbid_unknown_fields=True):
    """What Checkrein wants to know of a rule.

    `requires` are inputs without which the call is blocked, `optional` those of the arguments
    that the rule reads where they are given. Without one of `given` it has nothing to say and is
    not evaluated. One that `watches` governs no tool, whatever it names.
    """

    id: RuleId
    tools: Annotated[tuple[str, ...], Meta(min_length=1)]
    side_effects: tuple[SideEffect, ...] = ()
    severity: Severity = "medium"
    stage: Mode | dict[str, Mode] = "block"
    reads: tuple[ReadEntry, ...] = ()
    requires: dict[str, JsonType] = {}
    optional: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    watches: bool = False


class Annotation(Struct, frozen=True, forbid_unknown_fields=True):
    """The block. `custom` is ours; the rest is OPA's, read by its tools."""

    title: str = ""
    description: str = ""
    custom: dict[str, Any] = {}
    scope: str = "package"
    entrypoint: bool = False
    organizations: list[Any] = []
    related_resources: list[Any] = []
    authors: list[Any] = []
    schemas: list[Any] = []


class Metadata(Struct, frozen=True):
    """A rule's block: its title and our fields. `line` is where the block begins."""

    title: str
    custom: Custom
    line: int


def parse(path: str, text: str) -> tuple[Metadata | None, list[str]]:
    """The metadata of a module, or findings; neither for a module that is no rule."""
    block, line = _block(text)
    misplaced = _misplaced(path, text)
    if block is None:
        return None, misplaced
    try:
        document = yaml_text.parse(block, line + 1)
    except YamlRefused as refused:
        return None, [f"{path}:{refused.line}: METADATA is {refused.text}"]
    if not isinstance(document.value, dict):
        return None, [f"{path}:{line}: METADATA is not a mapping"]
    metadata, mistakes = _read(document.value, line)
    found = [
        f"{path}:{document.line(mistake.path)}: METADATA {_place(mistake)}{mistake.text}"
        for mistake in mistakes
    ]
    return metadata, found + misplaced


def _read(value: dict[str, Any], line: int) -> tuple[Metadata | None, list[Mistake]]:
    annotation, mistakes = shapes.convert(value, Annotation)
    if annotation is None:
        return None, mistakes
    if not annotation.custom.keys() & set(Custom.__struct_fields__):
        return None, []
    custom, mistakes = shapes.convert(annotation.custom, Custom)
    mistakes = [Mistake(("custom", *m.path), m.text) for m in mistakes]
    if custom is None:
        return None, mistakes
    if not annotation.title.strip():
        mistakes.append(Mistake((), "`title` is missing"))
    mistakes += [Mistake(("custom", *m.path), m.text) for m in _senseless(custom)]
    return Metadata(annotation.title, custom, line), mistakes


def _senseless(custom: Custom) -> Iterator[Mistake]:
    if custom.id.startswith("checkrein."):
        yield Mistake(("id",), "ids that begin with `checkrein.` are the gateway's own")
    for index, glob in enumerate(custom.tools):
        if (trouble := globs.trouble(glob)) is not None:
            yield Mistake(("tools", str(index)), trouble)
    yield from _pointer_mistakes(custom)
    for index, entry in enumerate(custom.reads):
        if (problem := _read_trouble(entry)) is not None:
            yield Mistake(("reads", str(index)), problem)


def _pointer_mistakes(custom: Custom) -> Iterator[Mistake]:
    for field in ("requires", "optional", "given"):
        for index, pointer in enumerate(getattr(custom, field)):
            try:
                steps = pointers.parse(pointer)
            except ValueError as error:
                yield Mistake((field,), str(error))
                continue
            place = (field, pointer if field == "requires" else str(index))
            if not steps:
                yield Mistake(place, "a pointer names a part of the frame")
            elif field == "optional" and steps[:2] != ("action", "arguments"):
                yield Mistake(place, "only arguments can be optional: /action/arguments/...")
            elif field != "optional" and "*" in steps:
                word = "required" if field == "requires" else "given"
                yield Mistake(place, f"a {word} pointer names one place, without `*`")


def _read_trouble(entry: ReadEntry) -> str | None:
    if entry.label_absent is not None:
        alone = entry.counter is None and entry.at_most is None
        return None if alone else "`label_absent` stands alone"
    if entry.counter is None or entry.at_most is None:
        return "an entry is {counter, plus, at_most} or {label_absent}"
    name, colon, rest = entry.counter.partition(":")
    if name in ("tool", "spend"):
        return None if colon and rest else f"`{name}:` is followed by a name"
    if entry.counter not in ("calls", "denials_in_a_row"):
        known = ("calls", "denials_in_a_row", "tool:", "spend:")
        return f"no counter is called `{entry.counter}`{shapes.nearest(entry.counter, known)}"
    return None


def _block(text: str) -> tuple[str | None, int]:
    """The YAML of the block above `package`, and the line of its marker."""
    block: list[str] | None = None
    line = 0
    for number, content in enumerate(text.split("\n"), start=1):
        if content.rstrip() == MARKER:
            block, line = [], number
        elif content.startswith("#"):
            if block is not None:
                block.append(content[1:])
        elif content.strip():
            break
    return (None if block is None else "\n".join(block)), line


def _misplaced(path: str, text: str) -> list[str]:
    """Blocks of ours that stand below `package`, where they would be read as a rule's own."""
    found: list[str] = []
    below = inside = False
    for number, content in enumerate(text.split("\n"), start=1):
        below = below or content.startswith("package ")
        inside = below and (content.rstrip() == MARKER or (inside and content.startswith("#")))
        if inside and content.replace(" ", "") == "#custom:":
            found.append(f"{path}:{number}: METADATA with `custom` stands above `package`")
    return found


def _place(mistake: Mistake) -> str:
    return f"{shapes.dotted(mistake.path)}: " if mistake.path else ""
