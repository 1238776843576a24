"""`checkrein policy`: is a policy folder right, and do its own tests pass?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gateway.cli.answering import answering
from gateway.cli.failures import FOUND, USAGE, Failure
from gateway.cli.screen import Screen
from gateway.cli.settings import read

if TYPE_CHECKING:
    from gateway.policies.check import Report
    from gateway.policies.testing import SuiteReport

directory = click.argument(
    "directory", metavar="[DIR]", required=False, type=click.Path(file_okay=False)
)


@click.group(name="policy")
def policy() -> None:
    """Check and test a policy folder.

    Without DIR it is CHECKREIN_POLICIES, else ./policies, else the copy in the data folder.
    """


@policy.command()
@directory
@answering
def check(screen: Screen, directory: str | None) -> int:
    """Everything that is wrong with a policy, with file and line, and what looks wrong.

    Nothing of the policy is run. Warnings alone do not fail.

    Example: checkrein policy check ./policies
    """
    where = chosen_folder(directory)
    report = _report(where)
    if screen.json:
        screen.answer(
            {
                "folder": str(where),
                "ok": report.ruleset is not None,
                "digest": report.ruleset.digest if report.ruleset else None,
                "rules": len(report.ruleset.rules) if report.ruleset else 0,
                "errors": list(report.errors),
                "warnings": list(report.warnings),
            }
        )
    else:
        _tell_check(screen, where, report)
    return 0 if report.ruleset else FOUND


@policy.command(name="test")
@directory
@answering
def test(screen: Screen, directory: str | None) -> int:
    """Run a policy's Rego tests and golden cases, the latter as live checks are judged.

    Example: checkrein policy test ./policies --json
    """
    where = chosen_folder(directory)
    report = _report(where)
    if report.ruleset is None:
        failure = Failure("\n".join(report.findings), f"checkrein policy check {where}")
        return screen.refuse(failure)
    screen.progress(f"Testing {where}")
    suite = _run_suite(report)
    if screen.json:
        outcomes = [("rego", each) for each in suite.rego] + [
            ("case", each) for each in suite.cases
        ]
        screen.answer(
            {
                "folder": str(where),
                "ok": suite.passed,
                "digest": report.ruleset.digest,
                "findings": list(suite.findings),
                "tests": [
                    {"kind": kind, "name": o.name, "passed": o.passed, "details": list(o.details)}
                    for kind, o in outcomes
                ],
            }
        )
    else:
        _tell_suite(screen, suite)
    return 0 if suite.passed else FOUND


def chosen_folder(given: str | None) -> Path:
    """The policy folder that is meant. Raises Failure when it does not exist."""
    settings = read().settings
    if given is None and settings.policies is None and Path("policies/policy.yaml").is_file():
        given = "policies"
    found = Path(given or settings.policies or Path(settings.data) / "policies")
    if not found.is_dir():
        raise Failure(f"There is no folder {found}.", "checkrein policy check DIR", USAGE)
    return found


def _report(where: Path) -> Report:
    from gateway.policies.check import check as examine

    return examine(where)


def _run_suite(report: Report) -> SuiteReport:
    import asyncio

    from gateway.engines.embedded.engine import EmbeddedEngine
    from gateway.policies import testing

    assert report.ruleset is not None
    ruleset = report.ruleset

    async def run() -> SuiteReport:
        engine = EmbeddedEngine()
        try:
            return await testing.run(report.files, ruleset, engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def _tell_check(screen: Screen, where: Path, report: Report) -> None:
    for text in report.errors:
        screen.say(f"error    {text}", "red")
    for text in report.warnings:
        screen.say(f"warning  {text}", "yellow")
    if report.ruleset is None:
        screen.say(f"{where} must not become active: {len(report.errors)} errors.")
    else:
        counted = f"{len(report.ruleset.rules)} rules, {len(report.warnings)} warnings"
        screen.say(f"ok  {where}: {counted}, version {report.ruleset.digest[:12]}")


def _tell_suite(screen: Screen, suite: SuiteReport) -> None:
    for text in suite.findings:
        screen.say(f"failed  {text}", "red")
    for outcome in (*suite.rego, *suite.cases):
        if not outcome.passed:
            screen.say(f"failed  {outcome.name}", "red")
            for detail in outcome.details:
                screen.say(f"          {detail}")
    outcomes = (*suite.rego, *suite.cases)
    failed = sum(not outcome.passed for outcome in outcomes) + len(suite.findings)
    counted = f"{len(suite.rego)} Rego tests, {len(suite.cases)} golden cases"
    screen.say(f"{'failed' if failed else 'ok'}  {counted}, {failed} failed")
