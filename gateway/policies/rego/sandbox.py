"""Rego that nobody vouches for is parsed and tried in a process of its own, and only there."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.policies.rego.findings import Analysis, Finding
from gateway.policies.rego.isolated import ENVIRONMENT, command

SCRIPT = Path(__file__).with_name("child.py")
WALL_SECONDS = 90.0
# Each crash costs a new process; a folder with more crashing modules than that is hopeless.
CRASHES_MAX = 8

_encode = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True):
    """What a query gave: `value` is JSON text (`"<undefined>"` when undefined), or `error`."""

    value: str | None = None
    error: str | None = None
    prints: list[str] = []


class _Ending(Struct, frozen=True):
    lines: list[bytes]
    cause: str


def examine(modules: Mapping[str, str]) -> Analysis:
    """Parse and examine; a module that crashes the parser or holds it up is a finding."""
    rest = dict(modules)
    findings: list[Finding] = []
    for _ in range(CRASHES_MAX):
        ending = _run({"modules": rest})
        complaints = [msgspec.json.decode(line, type=str) for line in ending.lines[: len(rest)]]
        if len(ending.lines) > len(rest):
            paths = [(path, text) for path, text in zip(rest, complaints, strict=True) if text]
            findings += [_finding(path, text) for path, text in paths]
            analysis = msgspec.json.decode(ending.lines[len(rest)], type=Analysis)
            return msgspec.structs.replace(
                analysis, findings=tuple(sorted((*analysis.findings, *findings)))
            )
        if len(complaints) == len(rest):
            break
        guilty = list(rest)[len(complaints)]
        del rest[guilty]
        findings.append(Finding(guilty, 1, "syntax", f"the parser {ending.cause} over this module"))
    findings.append(Finding("", 0, "syntax", "the modules could not be examined"))
    return Analysis(findings=tuple(sorted(findings)))


def evaluate(
    modules: Mapping[str, str], data: Mapping[str, Any], queries: Sequence[str]
) -> list[Answer]:
    """Evaluate rules by their paths (`data.payments_test.test_refused`).

    The modules are such as `examine` found no error in. Each rule has a second of CPU; one that
    dies or runs out of it has an `error`, the others count.
    """
    answers: list[Answer] = []
    while len(answers) < len(queries):
        rest = list(queries[len(answers) :])
        ending = _run({"modules": dict(modules), "data": dict(data), "queries": rest})
        answers += [msgspec.json.decode(line, type=Answer) for line in ending.lines]
        if len(answers) < len(queries):
            answers.append(Answer(error=f"the engine {ending.cause} over {queries[len(answers)]}"))
    return answers


def _run(request: dict[str, Any]) -> _Ending:
    """The complete lines that the child wrote, and how it ended."""
    with subprocess.Popen(
        command(SCRIPT, ("gateway", "msgspec", "regorus")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as child:
        try:
            output, _ = child.communicate(_encode(request), timeout=WALL_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            output, _ = child.communicate()
    slow = child.returncode in {-signal.SIGPROF, -signal.SIGXCPU, -signal.SIGKILL}
    return _Ending(output.split(b"\n")[:-1], "took too long" if slow else "crashed")


def _finding(path: str, complaint: str) -> Finding:
    """From `--> rules/a.rego:5:69 ... error: what is wrong` to a finding."""
    text = complaint.partition("Stack backtrace")[0]
    place = text.partition("--> ")[2].partition("\n")[0].removeprefix(f"{path}:")
    line = place.partition(":")[0]
    reason = text.rpartition("error:")[2].strip() or "cannot be parsed"
    return Finding(path, int(line) if line.isdecimal() else 1, "syntax", reason)
