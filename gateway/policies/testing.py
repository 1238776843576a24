"""`checkrein policy test`: Rego tests and golden cases of a policy, with readable failures."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.domain.ruleset import Ruleset
from gateway.engines.port import Engine
from gateway.policies import golden
from gateway.policies.analysis import analyse
from gateway.policies.golden import Outcome
from gateway.policies.load import is_test
from gateway.policies.rego import sandbox

# Names of rules in a policy's own tests. A test stands at the beginning of a line.
_TEST = re.compile(r"^(test_[A-Za-z0-9_]*)\b", re.MULTILINE)


class SuiteReport(Struct, frozen=True):
    """How the tests of a policy went. `findings` are tests that could not be read."""

    rego: tuple[Outcome, ...]
    cases: tuple[Outcome, ...]
    findings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything could be read and passed."""
        return not self.findings and all(o.passed for o in (*self.rego, *self.cases))


async def run(files: Mapping[str, str], ruleset: Ruleset, engine: Engine) -> SuiteReport:
    """Run all tests of a policy that loads. `engine` judges the golden cases."""
    await engine.load(ruleset)
    rego = await asyncio.to_thread(run_rego, files, ruleset.data)
    cases, findings = await run_cases(files, ruleset, engine)
    return SuiteReport(rego, cases, findings)


async def run_cases(
    files: Mapping[str, str], ruleset: Ruleset, engine: Engine
) -> tuple[tuple[Outcome, ...], tuple[str, ...]]:
    """Judge every golden case; the ruleset is loaded already."""
    found, findings = golden.read(files)
    outcomes = [await golden.run(located, engine, ruleset) for located in found]
    return tuple(outcomes), tuple(findings)


def run_rego(files: Mapping[str, str], data: Mapping[str, Any]) -> tuple[Outcome, ...]:
    """Evaluate every `test_*` rule of the modules named `*_test.rego`, in a child process."""
    modules = {path: text for path, text in files.items() if path.endswith(".rego")}
    packages = analyse(modules).packages
    tests = [
        (path, text.count("\n", 0, match.start()) + 1, match.group(1))
        for path, text in sorted(modules.items())
        if is_test(path) and path in packages
        for match in _firsts(text)
    ]
    queries = [f"data.{packages[path]}.{name}" for path, _, name in tests]
    if not queries:
        return ()
    answers = sandbox.evaluate(modules, data, queries)
    return tuple(
        _outcome(f"{path}:{line}: {name}", answer)
        for (path, line, name), answer in zip(tests, answers, strict=True)
    )


def _firsts(text: str) -> list[re.Match[str]]:
    """Each test once: a rule may have several bodies."""
    found: dict[str, re.Match[str]] = {}
    for match in _TEST.finditer(text):
        found.setdefault(match.group(1), match)
    return list(found.values())


def _outcome(name: str, answer: sandbox.Answer) -> Outcome:
    if answer.error is None and answer.value == "true":
        return Outcome(name, True)
    said = f"failed: {answer.error}" if answer.error else f"expected true, got {answer.value}"
    return Outcome(name, False, (said, *(f"print: {line}" for line in answer.prints)))
