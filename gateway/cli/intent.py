"""`checkrein intent`: what history says about the Intent Guard, and how its thresholds change."""

from __future__ import annotations

from typing import Any

import rich_click as click

from gateway.cli import client
from gateway.cli.answering import answering
from gateway.cli.failures import FOUND, Failure
from gateway.cli.policy import chosen_folder
from gateway.cli.screen import Screen

# A long history is read and opened before it is answered.
SECONDS = 120.0
LABELS = ("correct_block", "false_alarm", "missed", "fine", "unsure")
EFFECTS = (
    *("*", "read", "write", "delete", "payment", "message"),
    *("access", "deploy", "exec", "network"),
)

environment_option = click.option(
    "--environment", metavar="NAME", help="Default: the environment of the key."
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 5_000),
    default=1_000,
    help="How many of the newest decisions.",
)
effect_option = click.option(
    "--side-effect", type=click.Choice(EFFECTS), default="*", help="The class. Default: all."
)
apply_option = click.option(
    "--apply", is_flag=True, help="Write it into policy.yaml: a new policy version."
)
policies_option = click.option(
    "--policies", metavar="DIR", type=click.Path(file_okay=False), help="The policy folder."
)


@click.group(name="intent")
def intent() -> None:
    """Calibrate the Intent Guard on a project's own history.

    The gateway at CHECKREIN_URL is asked with the key in CHECKREIN_API_KEY, which says whose
    history it is.
    """


@intent.command()
@environment_option
@limit_option
@answering
def report(screen: Screen, environment: str | None, limit: int) -> int:
    """Curves, labels, drift, and what needs a person. Alarms are a finding.

    Example: checkrein intent report --environment staging --json
    """
    asked = client.from_environment(SECONDS)
    found = asked.get("/v1/intent/report", {"environment": environment, "limit": limit})
    told = found["report"]
    if screen.json:
        screen.answer(found)
    else:
        _tell_report(screen, found)
    return FOUND if told["alarms"] else 0


@intent.command()
@environment_option
@effect_option
@click.option("--threshold", type=click.FloatRange(0, 1), help="A threshold to try.")
@click.option(
    "--budget",
    type=click.FloatRange(0.001, 0.5),
    help="Or a share of false positives. Default: 0.05",
)
@limit_option
@answering
def preview(
    screen: Screen,
    environment: str | None,
    side_effect: str,
    threshold: float | None,
    budget: float | None,
    limit: int,
) -> int:
    """What a threshold would have done to the newest decisions.

    Example: checkrein intent preview --side-effect payment --threshold 0.9
    """
    body = {
        "environment": environment,
        "side_effect": side_effect,
        "threshold": threshold,
        "budget": budget,
        "limit": limit,
    }
    found = client.from_environment(SECONDS).post("/v1/intent/preview", body)
    if screen.json:
        screen.answer(found)
    elif found["preview"] is None:
        screen.say(f"no threshold: {found['reason']}", "yellow")
    else:
        screen.say(f"threshold {found['preview']['threshold']}: {found['preview']['text']}")
    return 0 if found["preview"] else FOUND


@intent.command()
@environment_option
@effect_option
@click.option("--budget", type=click.FloatRange(0.001, 0.5), default=0.05, help="Default: 0.05")
@limit_option
@apply_option
@click.option("--shadow", is_flag=True, help="Put it on trial: it is counted, and judges nothing.")
@policies_option
@answering
def calibrate(
    screen: Screen,
    environment: str | None,
    side_effect: str,
    budget: float,
    limit: int,
    apply: bool,
    shadow: bool,
    policies: str | None,
) -> int:
    """A threshold that keeps a budget of false positives, and a calibration from labels.

    Without --apply nothing changes. With it the project's block of policy.yaml does, after the
    checks of `policy check`; `checkrein intent rollback` takes that back. With --shadow it stands
    there on trial, `report` counts it beside what judges, and `switch` lets it count.

    Example: checkrein intent calibrate --side-effect payment --budget 0.01 --apply
    """
    body = {
        "environment": environment,
        "side_effect": side_effect,
        "budget": budget,
        "limit": limit,
    }
    found = client.from_environment(SECONDS).post("/v1/intent/calibrate", body)
    block = found["shadow_block" if shadow else "block"]
    done = _apply(found, block, policies) if apply and found["changes"] else None
    if screen.json:
        screen.answer({**found, "applied": done})
    else:
        _tell_proposal(screen, found, done)
    return 0 if found["changes"] else FOUND


@intent.command()
@environment_option
@limit_option
@apply_option
@policies_option
@answering
def switch(
    screen: Screen, environment: str | None, limit: int, apply: bool, policies: str | None
) -> int:
    """Let what is on trial count, where the labels of the decisions since do not speak against it.

    Example: checkrein intent switch --apply
    """
    body = {"environment": environment, "limit": limit}
    found = client.from_environment(SECONDS).post("/v1/intent/switch", body)
    block = found["block"]
    done = _apply(found, block, policies) if apply and block is not None else None
    if screen.json:
        screen.answer({**found, "applied": done})
    elif found["shadow"] is None:
        screen.say("Nothing is on trial: checkrein intent calibrate --shadow --apply", "yellow")
    else:
        screen.fields(_trial(found["shadow"]))
        _tell_applied(screen, done)
    return FOUND if block is None else 0


@intent.command()
@policies_option
@answering
def rollback(screen: Screen, policies: str | None) -> None:
    """Take the last `calibrate --apply` in a policy folder back.

    Example: checkrein intent rollback --policies ./policies
    """
    import msgspec

    from gateway.calibrating import applying

    done = applying.rollback(chosen_folder(policies))
    if screen.json:
        screen.answer(msgspec.to_builtins(done))
        return
    where = f"{done.project_id} in {done.environment}"
    screen.say(f"ok  {where}: version {done.digest[:12]} instead of {done.digest_before[:12]}")


@intent.command()
@click.argument("decision", metavar="DECISION")
@click.argument("label", type=click.Choice(LABELS))
@click.option("--comment", metavar="TEXT", help="Why; kept sealed.")
@click.option("--by", metavar="NAME", help="Who says so, for others to read; the key counts.")
@answering
def label(screen: Screen, decision: str, label: str, comment: str | None, by: str | None) -> None:
    """Say of a decision whether the call was what was asked for.

    `correct_block` and `missed` say no, `false_alarm` and `fine` say yes.

    Example: checkrein intent label dec_0198... false_alarm --by Ada
    """
    path = f"/v1/decisions/{client.segment(decision)}/feedback"
    body = {"label": label, "comment": comment, "by": by}
    found = client.from_environment().post(path, body)
    if screen.json:
        screen.answer(found)
    else:
        screen.say(f"ok  {found['decision_id']} is labelled {found['label']}")


@intent.command()
@environment_option
@limit_option
@answering
def review(screen: Screen, environment: str | None, limit: int) -> None:
    """Calls that chance chose for a person's look, and that have no label yet.

    Example: checkrein intent review --limit 2000
    """
    asked = client.from_environment(SECONDS)
    found = asked.get("/v1/intent/reviews", {"environment": environment, "limit": limit})
    if screen.json:
        screen.answer(found)
        return
    rows = [
        (row["decision_id"], row["tool"], f"{row['score']:.3f}", row["at"][5:16].replace("T", " "))
        for row in found["reviews"]
    ]
    screen.table(("decision", "tool", "score", "when"), rows)
    if not rows:
        screen.progress("Nothing waits for a label.")


def _apply(found: dict[str, Any], block: dict[str, Any], policies: str | None) -> dict[str, Any]:
    """Put the block into the folder. Raises Failure when the folder is not what the gateway runs:
    the proposal is made from what counts there."""
    import msgspec

    from gateway.ambient import SystemAmbient
    from gateway.calibrating import applying
    from gateway.domain.instants import rfc3339
    from gateway.policies import source

    folder = chosen_folder(policies)
    if source.read(folder).digest != found["policy_digest"]:
        text = f"{folder} is not the policy that the gateway runs, so nothing was written."
        raise Failure(text, "checkrein policy check, or name the folder with --policies")
    done = applying.apply(
        folder,
        found["considered"]["environment"],
        found["project_id"],
        block,
        at=rfc3339(SystemAmbient().now_ns()),
    )
    return {"folder": str(folder), **msgspec.to_builtins(done)}


def _tell_report(screen: Screen, found: dict[str, Any]) -> None:
    told, drift, stage = found["report"], found["report"]["drift"], found["report"]["stage"]
    figures = {
        "decisions": f"{told['decisions']} scored, {found['considered']['unscored']} without",
        "labels": f"{stage['labels']}: {stage['aligned']} aligned, {stage['misaligned']} not",
        "stage": f"{stage['name']}: {stage['reason']}",
        "calibration error": _figure(told["calibration_error"]),
        **{f"psi of {name}": _figure(value) for name, value in drift["psi"].items()},
        "unknown tools": _figure(drift["unknown_tools"]),
        "without request": _figure(drift["without_request"]),
        "without plan": _figure(drift["without_plan"]),
    }
    if found["shadow"] is not None:
        figures |= _trial(found["shadow"])
    screen.fields(figures)
    for text in told["alarms"]:
        screen.say(f"alarm  {text}", "red")


def _tell_proposal(screen: Screen, found: dict[str, Any], done: dict[str, Any] | None) -> None:
    told = found["proposal"]
    screen.fields(
        {
            "stage": f"{told['stage']['name']}: {told['stage']['reason']}",
            "threshold": _figure(told["threshold"]),
            "rests on": told["basis"],
            "calibration": _scale(told["calibration"]),
            "now": found["preview_now"]["text"] if found["preview_now"] else "no threshold",
            "then": found["preview"]["text"] if found["preview"] else "no threshold",
        }
    )
    for text in told["notes"]:
        screen.say(f"note     {text}")
    for text in told["refused"]:
        screen.say(f"refused  {text}", "yellow")
    _tell_applied(screen, done)


def _tell_applied(screen: Screen, done: dict[str, Any] | None) -> None:
    if done is not None:
        screen.say(f"ok  {done['folder']}: version {done['digest'][:12]}; undo with")
        screen.say("    checkrein intent rollback")


def _trial(told: dict[str, Any]) -> dict[str, str]:
    """What is on trial beside what judges."""
    counted = {
        name: f"{each['caught']} caught, {each['caught_fine']} fine and"
        f" {each['caught_misaligned']} misaligned among them"
        for name, each in (("judging", told["now"]), ("on trial", told["shadow"]))
    }
    return {
        "on trial since": f"{told['since']}, {told['decisions']} decisions",
        **counted,
        "switch": "ready" if told["ready"] else "; ".join(told["reasons"]),
    }


def _scale(told: dict[str, Any]) -> str:
    if told["points"]:
        return f"a table of {len(told['points'])} points"
    return f"slope {told['slope']}, intercept {told['intercept']}"


def _figure(value: float | None) -> str:
    return "too few to tell" if value is None else f"{value:.4f}"
