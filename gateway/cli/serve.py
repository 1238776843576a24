"""`checkrein serve`, `work` and `migrate`: gateways and workers on servers that they share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import rich_click as click

from gateway.cli.answering import answering
from gateway.cli.failures import FOUND, USAGE, Failure
from gateway.cli.screen import Screen
from gateway.cli.settings import read

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.serving.gateway import Ready

port_type = click.IntRange(0, 65535)


@click.command()
@click.option("--host", help="Where to listen. Default: 127.0.0.1")
@click.option("--port", type=port_type, help="0 picks a free one. Default: 8400")
@click.option("--metrics-port", type=port_type, help="Where metrics are; 0 picks a free one.")
@click.option(
    "--policies",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="The policy folder, the same for every gateway.",
)
@answering
def serve(
    screen: Screen,
    host: str | None,
    port: int | None,
    metrics_port: int | None,
    policies: str | None,
) -> None:
    """Start a gateway on Redis and PostgreSQL, beside any number of others.

    CHECKREIN_REDIS_URL, CHECKREIN_DATABASE_URL and CHECKREIN_MASTER_KEY_FILE name what they share.
    Ctrl-C or SIGTERM stops it: no new checks, those in flight are answered first.

    Example: checkrein serve --host 0.0.0.0 --policies policies
    """
    settings = _on_servers(host=host, port=port, metrics_port=metrics_port, policies=policies)
    from gateway.serving.gateway import run
    from gateway.telemetry import configure_logging

    configure_logging(settings.log_level)
    run(settings, lambda ready: _tell(screen, ready))
    screen.progress("Stopped. Everything that was decided is in the journal.")


@click.command()
@click.option("--metrics-port", type=port_type, help="Where metrics are; 0 picks a free one.")
@answering
def work(screen: Screen, metrics_port: int | None) -> None:
    """Start a worker that moves events from Redis into PostgreSQL, beside any number of others.

    Ctrl-C or SIGTERM stops it; what it has in hand is recorded first.

    Example: checkrein work --metrics-port 0
    """
    settings = _on_servers(metrics_port=metrics_port)
    import uvloop

    from gateway.serving.working import work as run
    from gateway.telemetry import configure_logging

    configure_logging(settings.log_level)

    def tell(ready: object) -> None:
        from msgspec import to_builtins

        told = to_builtins(ready)
        if screen.json:
            screen.answer(told)
        else:
            screen.say(f"Checkrein records (metrics at {told['metrics_url']})")

    uvloop.run(run(settings, tell))
    screen.progress("Stopped. What was in hand is recorded.")


@click.command()
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--check", "only_check", is_flag=True, help="Exit with 1 when something is missing.")
@answering
def migrate(screen: Screen, *, only_plan: bool, only_check: bool) -> int:
    """Make the tables in PostgreSQL, or bring them up to this release.

    CHECKREIN_DATABASE_URL logs in as the owner of the database. Gateways of the release before go
    on working meanwhile.

    Example: checkrein migrate --plan
    """
    if only_plan and only_check:
        raise Failure("--plan and --check are two questions.", "ask one of them", USAGE)
    settings = read().settings
    if settings.database_url is None:
        raise _unset("CHECKREIN_DATABASE_URL", "postgresql://owner@host/checkrein")
    from gateway.storage.server.postgres import migrate as migrations

    if only_check:
        found = asyncio.run(migrations.check(settings.database_url))
        if screen.json:
            screen.answer({"state": found.state, "detail": found.detail, "pending": found.pending})
        else:
            screen.say(found.detail)
        return 0 if found.state in ("current", "ahead") else FOUND
    if only_plan:
        planned = [each.name for each in asyncio.run(migrations.plan(settings.database_url))]
        _list(screen, "pending", planned, "would be applied", "Nothing is to be done.")
        return 0
    done = asyncio.run(migrations.migrate(settings.database_url))
    _list(screen, "applied", done, "applied", "Nothing was to be done.")
    return 0


def _list(screen: Screen, field: str, names: list[str], said: str, none: str) -> None:
    if screen.json:
        screen.answer({field: names})
        return
    for name in names:
        screen.say(f"{name} {said}")
    if not names:
        screen.say(none)


def _on_servers(**flags: object) -> Settings:
    settings = read(**flags).settings
    if settings.database_url is None:
        raise _unset("CHECKREIN_DATABASE_URL", "postgresql://checkrein_gateway@host/checkrein")
    if settings.redis_url is None:
        raise _unset("CHECKREIN_REDIS_URL", "redis://host:6379")
    return settings


def _unset(variable: str, example: str) -> Failure:
    return Failure(f"{variable} is not set.", f"export {variable}={example}", USAGE)


def _tell(screen: Screen, ready: Ready) -> None:
    if screen.json:
        screen.answer(
            {
                "url": ready.url,
                "api_key": None,
                "project": ready.project,
                "environment": ready.environment,
            }
        )
        return
    screen.say(f"Checkrein is ready at {ready.url} (metrics at {ready.metrics_url})")
    screen.say("A key for an agent:  checkrein keys create --environment production")
