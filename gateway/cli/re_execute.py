"""`checkrein re-execute`: one recorded model step asked again, its answer beside the old one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from gateway.cli import check_words, client
from gateway.cli.answering import answering
from gateway.cli.failures import FOUND, USAGE, Failure
from gateway.cli.screen import Screen

# A model may think for a while; the gateway's own limit is what ends it.
SECONDS = 660.0


@click.command(name="re-execute")
@click.argument("run", metavar="RUN")
@click.argument("step", metavar="STEP", type=click.IntRange(min=1))
@click.option("--model", metavar="M", help="Another model.")
@click.option("--system", metavar="TEXT", help="Another system prompt.")
@click.option(
    "--prompt",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same, from a file.",
)
@click.option("--param", "params", metavar="K=V", multiple=True, help="A parameter; null: none.")
@click.option("--endpoint", type=click.Choice(["openai", "anthropic"]), help="By its protocol.")
@click.option("--check", "checks", metavar="CHECK", multiple=True, help="What must hold; below.")
@click.option("--yes", is_flag=True, help="Send it. It costs money.")
@answering
def re_execute(
    screen: Screen,
    run: str,
    step: int,
    model: str | None,
    system: str | None,
    prompt: Path | None,
    params: tuple[str, ...],
    endpoint: str | None,
    checks: tuple[str, ...],
    yes: bool,
) -> int | None:
    """Ask a model again what it was asked at a step of a run, as it was or otherwise.

    RUN is a run's id, or the name that its caller gave it. STEP is the number of a frame of the
    type model_call. The running gateway sends it, to the endpoint in its settings. Without --yes
    nothing is sent: what would be, and its cost, is shown. Tools never run; the policy judges the
    calls that are proposed. The exit code is 1 for a regression.

    A check is tool:NAME, no-tool:NAME, argument:NAME/POINTER=VALUE, schema:NAME=FILE, text:WORDS,
    matches:PATTERN or verdict:allow,warn.

    Example: checkrein re-execute first-run 7 --model gpt-5 --check tool:stripe.refund --yes
    """
    if system is not None and prompt is not None:
        raise Failure("--system and --prompt say the same.", check_words.NEXT, USAGE)
    body = {
        "confirm": yes,
        "endpoint": endpoint,
        "model": model,
        "system": system if prompt is None else _text(prompt),
        "parameters": dict(map(_parameter, params)),
        "checks": [check_words.read(words) for words in checks],
    }
    asked = client.from_environment(SECONDS)
    path = f"/v1/runs/{client.segment(run)}/steps/{step}/re-execute"
    found = asked.post(path, body)
    if screen.json:
        screen.answer(found)
    else:
        _show(screen, found)
    return FOUND if found["label"] == "regression" else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}", check_words.NEXT, USAGE) from None


def _parameter(words: str) -> tuple[str, Any]:
    name, equals, value = words.partition("=")
    if not name or not equals:
        text = f"{words!r} is no parameter; write NAME=VALUE."
        raise Failure(text, "--param temperature=0", USAGE)
    return name, check_words.value_of(value)


def _show(screen: Screen, found: dict[str, Any]) -> None:
    now, label = found["now"], found["label"]
    said = label or ("sent" if now else "not sent")
    style = {"pass": "ok", "regression": "failed"}.get(said, "")
    screen.title(
        f"{found['seq']}", f"{found['request']['model']}: {said}", found["endpoint"], style
    )
    for note in found["notes"]:
        screen.section("note", (note,))
    screen.say()
    rows = [(name, _cell(found["original"], name), _cell(now, name)) for name in _ROWS]
    screen.table(("", "then", "now" if now else "would cost"), _with_estimate(rows, found))
    for each in found["checks"]:
        screen.section(_held(each["now"], each["original"]), (_named(each),))
    if now is None:
        screen.say()
        screen.say("Nothing was sent. The same command with --yes sends it.")
    else:
        screen.section("recorded", (found["recorded_as"],))
    if capture := found.get("capture"):
        screen.section("capture", (capture["says"],))


_ROWS = ("model", "answer", "calls", "verdicts", "ended", "tokens", "cost", "time")


def _cell(answer: dict[str, Any] | None, name: str) -> str:
    if answer is None:
        return ""
    tokens, cost, calls = answer["tokens"], answer["cost"], answer["calls"]
    told = {
        "model": answer["model"],
        "answer": answer["text"] or answer["error"],
        "calls": "; ".join(f"{each['tool']} {_json(each['arguments'])}" for each in calls),
        "verdicts": "; ".join(each["verdict"] or "not judged" for each in calls),
        "ended": answer["finish_reason"],
        "tokens": f"{tokens['input_tokens']} + {tokens['output_tokens']}" if tokens else None,
        "cost": f"{cost['amount']} {cost['currency']}" if cost else None,
        "time": f"{answer['duration_ms']:.0f} ms" if answer["duration_ms"] is not None else None,
    }
    return told[name] or ""


def _with_estimate(
    rows: list[tuple[str, str, str]], found: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """What it would take, where nothing was sent."""
    if found["now"] is not None:
        return rows
    estimate = found["estimate"]
    cost, most = estimate["cost"], estimate["output_tokens"]
    told = {
        "model": found["request"]["model"],
        "tokens": f"about {estimate['input_tokens']} + {'?' if most is None else most}",
        "cost": f"about {cost['amount']} {cost['currency']}" if cost else "no price is set",
    }
    return [(name, then, told.get(name, "")) for name, then, _ in rows]


def _held(now: bool | None, original: bool) -> str:
    if now is None:
        return "held then" if original else "failed then"
    return "holds" if now else "FAILS"


def _named(each: dict[str, Any]) -> str:
    check = {name: value for name, value in each["check"].items() if name != "kind"}
    return f"{each['check']['kind']} {_json(check)}" + (f": {each['why']}" if each["why"] else "")


def _json(value: Any) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
