"""From files to a ruleset: everything is checked here, so that nothing broken becomes active."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from gateway.domain import pointers
from gateway.domain.ruleset import CounterReads, LabelReads, Reads, Rule, Ruleset
from gateway.domain.verdicts import Mode
from gateway.errors import PolicyInvalid
from gateway.policies import frame_paths, manifest, metadata, shapes, source
from gateway.policies.analysis import Analysis, analyse
from gateway.policies.frame_paths import Path
from gateway.policies.manifest import Manifest
from gateway.policies.metadata import Custom, DataRef, Metadata, ReadEntry
from gateway.policies.source import MANIFEST
from gateway.policies.yaml_text import Document

_PACKAGE = re.compile(r"^package\b", re.MULTILINE)


class Examined(Struct, frozen=True):
    """What examination found. `ruleset` is None as soon as there is an error.

    `manifest` and `document` are there whenever policy.yaml itself could be read.
    """

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    ruleset: Ruleset | None = None
    manifest: Manifest | None = None
    document: Document | None = None


def load(files: Mapping[str, str], commit: str | None = None) -> Ruleset:
    """The ruleset that these files are. Raises PolicyInvalid with every finding.

    Starts a child process for parsing: call it off the event loop.
    """
    examined = examine(files, commit)
    if examined.ruleset is None:
        raise PolicyInvalid(list(examined.errors))
    return examined.ruleset


def examine(files: Mapping[str, str], commit: str | None = None) -> Examined:
    """Look at everything, also when something is already known to be wrong."""
    written, document, errors = manifest.parse(files.get(MANIFEST, ""))
    modules = {path: text for path, text in files.items() if path.endswith(".rego")}
    analysis = analyse(modules)
    errors += [str(finding) for finding in analysis.errors]
    warnings = [str(f) for f in analysis.findings if f.severity == "warning"]
    found, troubles = _metadata(modules)
    errors += troubles
    errors += _duplicates(found, analysis)
    if written is not None and document is not None:
        errors += _crossings(written, document, found, analysis)
    for path, known in sorted(found.items()):
        errors += _rule_errors(path, modules[path], known.custom, analysis)
        errors += _limit_errors(path, known, written.data if written else {})
    if errors or written is None:
        return Examined(tuple(dict.fromkeys(errors)), tuple(warnings), None, written, document)
    ruleset = _ruleset(files, commit, written, found, analysis)
    return Examined((), tuple(warnings), ruleset, written, document)


def is_test(path: str) -> bool:
    """Whether a module holds tests of rules rather than rules."""
    return path.endswith("_test.rego")


def _metadata(modules: Mapping[str, str]) -> tuple[dict[str, Metadata], list[str]]:
    """The rules by path; a module without our block is a library."""
    found: dict[str, Metadata] = {}
    errors: list[str] = []
    for path, text in sorted(modules.items()):
        if is_test(path):
            continue
        known, troubles = metadata.parse(path, text)
        errors += troubles
        if known is not None:
            found[path] = known
    return found, errors


def _duplicates(found: dict[str, Metadata], analysis: Analysis) -> Iterator[str]:
    ids: dict[str, str] = {}
    packages: dict[str, str] = {}
    for path, known in sorted(found.items()):
        first = ids.setdefault(known.custom.id, path)
        if first != path:
            yield f"{path}:{known.line}: the id `{known.custom.id}` is taken by {first}"
        package = analysis.packages.get(path)
        if package is not None and packages.setdefault(package, path) != path:
            yield f"{path}:{known.line}: {packages[package]} is in the package `{package}` too"


def _crossings(
    written: Manifest, document: Document, found: dict[str, Metadata], analysis: Analysis
) -> Iterator[str]:
    """Where policy.yaml and the modules must agree."""
    ids = {known.custom.id for known in found.values()}
    for name, entry in written.environments.items():
        for rule_id in entry.stages:
            if rule_id not in ids:
                path = ("environments", name, "stages", rule_id)
                text = f"there is no rule `{rule_id}`{shapes.nearest(rule_id, ids)}"
                yield manifest.located(document, shapes.Mistake(path, text))
    roots = {package.partition(".")[0]: path for path, package in analysis.packages.items()}
    for key in written.data:
        if key in roots:
            text = f"`data.{key}` is also the package of {roots[key]}: give the data another name"
            yield manifest.located(document, shapes.Mistake(("data", key), text))


def _rule_errors(path: str, text: str, custom: Custom, analysis: Analysis) -> Iterator[str]:
    package = analysis.packages.get(path)
    if package is None:
        return
    if analysis.definitions.get(package, {}).get("verdict") != "set":
        line = _line(text, _PACKAGE.search(text))
        hint = "write `verdict contains {...} if {...}`"
        yield f"{path}:{line}: the rule `{custom.id}` never adds to `verdict`: {hint}"
    declared = _pointers(custom)
    for pointer in declared:
        if (reason := frame_paths.impossible(pointers.parse(pointer))) is not None:
            yield f"{path}:{_where(text, pointer)}: METADATA names {pointer}: {reason}"
    for read in sorted(analysis.reads(package)):
        line = _where(text, *(frame_paths.say(part) for part in _and_above(read)))
        if (reason := frame_paths.impossible(read)) is not None:
            yield f"{path}:{line}: {reason}"
        elif (missing := frame_paths.undeclared(read, declared)) is not None:
            said = frame_paths.say(read)
            yield f"{path}:{line}: reads {said}: name {missing} in `requires` or `optional`"


def _and_above(read: Path) -> list[Path]:
    """The path and those above it, down to its first step."""
    return [read[:length] for length in range(len(read), 0, -1)] or [()]


def _pointers(custom: Custom) -> list[str]:
    """What METADATA declares; a pointer that is none was found out when the block was read."""
    return [p for p in (*custom.requires, *custom.optional, *custom.given) if p.startswith("/")]


def _limit_errors(path: str, known: Metadata, data: dict[str, Any]) -> Iterator[str]:
    for entry in known.custom.reads:
        if isinstance(entry.at_most, DataRef) and _limit(entry, data) is None:
            wanted = entry.at_most.data
            yield f"{path}:{known.line}: METADATA: policy.yaml has no whole number at data.{wanted}"


def _ruleset(
    files: Mapping[str, str],
    commit: str | None,
    written: Manifest,
    found: dict[str, Metadata],
    analysis: Analysis,
) -> Ruleset:
    rules = [
        _rule(path, known, analysis.packages[path], analysis, written)
        for path, known in found.items()
    ]
    return Ruleset(
        digest=source.digest(files),
        rules=tuple(sorted(rules, key=lambda rule: rule.id)),
        environments={
            name: manifest.environment(entry) for name, entry in written.environments.items()
        },
        tools=written.tools,
        data=written.data,
        modules={path: text for path, text in sorted(files.items()) if _is_module(path)},
        commit=commit,
    )


def _rule(path: str, known: Metadata, package: str, analysis: Analysis, written: Manifest) -> Rule:
    custom = known.custom
    default, stages = _stages(custom, written)
    return Rule(
        id=custom.id,
        package=package,
        path=path,
        title=known.title,
        tools=custom.tools,
        side_effects=custom.side_effects,
        severity=custom.severity,
        stage=default,
        stages=stages,
        reads=tuple(_reads(entry, written.data) for entry in custom.reads),
        requires=custom.requires,
        given=custom.given,
        watches=custom.watches,
        needs=frame_paths.needs(analysis.reads(package)),
    )


def _stages(custom: Custom, written: Manifest) -> tuple[Mode, dict[str, Mode]]:
    """The rule's own stages, and over them those that policy.yaml gives it."""
    own = custom.stage if isinstance(custom.stage, dict) else {"*": custom.stage}
    given = {
        name: entry.stages[custom.id]
        for name, entry in written.environments.items()
        if custom.id in entry.stages
    }
    stages = {name: stage for name, stage in own.items() if name != "*"}
    return own.get("*", "block"), {**stages, **given}


def _reads(entry: ReadEntry, data: dict[str, Any]) -> Reads:
    if entry.label_absent is not None:
        return LabelReads(entry.label_absent)
    limit = _limit(entry, data)
    assert entry.counter is not None
    assert limit is not None
    return CounterReads(entry.counter, entry.plus, limit)


def _limit(entry: ReadEntry, data: dict[str, Any]) -> int | None:
    """The number itself, or the whole number that stands in policy.yaml's data."""
    if not isinstance(entry.at_most, DataRef):
        return entry.at_most
    value: Any = data
    for step in entry.at_most.data.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_module(path: str) -> bool:
    return path.endswith(".rego") and not is_test(path)


def _where(text: str, *wanted: str) -> int:
    """The line of the first of these texts that occurs, most telling first; else `package`."""
    for words in wanted:
        if (place := text.find(words)) >= 0:
            return text.count("\n", 0, place) + 1
    return _line(text, _PACKAGE.search(text))


def _line(text: str, match: re.Match[str] | None) -> int:
    return 1 if match is None else text.count("\n", 0, match.start()) + 1
