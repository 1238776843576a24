"""`checkrein up`: the whole gateway in one command, ready to be tried."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import IN_USE, Failure
from gateway.cli.folder import in_use
from gateway.cli.screen import Screen
from gateway.cli.settings import in_folder, read
from gateway.cli.text import as_json

if TYPE_CHECKING:
    from gateway.serving.gateway import Ready

FIRST_RUN = "first-run"
FIRST_CHECK: dict[str, Any] = {
    "run": {"id": FIRST_RUN, "agent_id": "billing"},
    "request": {
        "user": "Charge customer cus_9281 4,500 USD for order 9281.",
        "plan": {"text": "Charge the card, no refund.", "arguments": {"is_refund": False}},
    },
    "action": {
        "tool": "stripe.create_payment",
        "arguments": {
            "customer": "cus_9281",
            "amount": 450000,
            "currency": "usd",
            "is_refund": True,
        },
    },
}


@click.command()
@data_option
@click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; 0 picks a free one.")
@click.option("--environment", metavar="NAME", help="The environment of the first API key.")
@click.option(
    "--policies",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="The policy folder. Without it, the shipped packs are copied to DIR/policies first.",
)
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="Where metrics are; 0 picks a free one."
)
@answering
def up(
    screen: Screen,
    data: str | None,
    port: int | None,
    environment: str | None,
    policies: str | None,
    metrics_port: int | None,
) -> None:
    """Start a gateway on this machine, with everything in one folder and nothing to install.

    Shows an API key on the first start. Ctrl-C or SIGTERM stops it; what it holds stays.

    Example: checkrein up --port 8400 --environment staging
    """
    given = read(
        data=data,
        port=port,
        environment=environment,
        policies=policies,
        # Whoever wants any free port for the one has no reason to insist on the other.
        metrics_port=0 if port == 0 and metrics_port is None else metrics_port,
    ).settings
    settings = in_folder(given)
    if in_use(Path(settings.data)):
        raise _busy(settings.data)
    from gateway.serving.gateway import run
    from gateway.telemetry import configure_logging
    from gateway.wiring.embedded import DataFolderBusy

    configure_logging(settings.log_level)
    screen.progress(f"Starting a gateway on {settings.data}")
    try:
        run(settings, lambda ready: _tell(screen, ready, settings.data))
    except DataFolderBusy as error:
        raise _busy(settings.data) from error
    screen.progress("Stopped. Everything that was decided is recorded.")


def _busy(data: str) -> Failure:
    text = f"Another gateway is using the data folder {data}."
    return Failure(text, "use that gateway, stop it, or name another folder with --data", IN_USE)


def _tell(screen: Screen, ready: Ready, data: str) -> None:
    """What a person, or a script, needs to go on."""
    if screen.json:
        screen.answer(
            {
                "url": ready.url,
                "api_key": ready.api_key,
                "project": ready.project,
                "environment": ready.environment,
            }
        )
        return
    screen.say(f"Checkrein is ready at {ready.url} (metrics at {ready.metrics_url})")
    screen.say()
    screen.say("Paste this where your agent runs:")
    screen.say()
    screen.say(f"  export CHECKREIN_URL={ready.url}")
    screen.say(f"  export CHECKREIN_API_KEY={ready.api_key or '<the key of the first start>'}")
    screen.say(f"  export CHECKREIN_ENVIRONMENT={ready.environment}")
    screen.say()
    if ready.api_key is None:
        screen.say("The key was shown on the first start. This makes another:")
        screen.say()
        screen.say(f"  checkrein keys create --data {shlex.quote(data)}")
    else:
        screen.say("The key is shown this once. Only a digest of it is kept.")
    screen.say()
    screen.say("Ask about a tool call (a charge was asked for, and the call says refund):")
    screen.say()
    screen.say(f"  {_curl()}")
    screen.say()
    screen.say("Then step through what happened:")
    screen.say()
    screen.say(f"  checkrein replay {FIRST_RUN}")
    screen.say()


def _curl() -> str:
    """One line, so that it survives being pasted."""
    return (
        'curl -s "$CHECKREIN_URL/v1/check-action"'
        ' -H "Authorization: Bearer $CHECKREIN_API_KEY"'
        " -H 'Content-Type: application/json'"
        f" -d '{as_json(FIRST_CHECK)}'"
    )
