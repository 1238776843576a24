"""`checkrein config show`, and how every other command comes by its settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.screen import Screen
from gateway.config import SECRETS, Origins, Settings, load

FILE = Path("checkrein.toml")


def read(**flags: Any) -> Origins:
    """Settings from the flags that were given, the environment, checkrein.toml and the defaults."""
    return load(os.environ, file=FILE, flags=flags)


def chosen(data: str | None, **flags: Any) -> Settings:
    """Settings for a command on the stores: those of the folder where one is named, otherwise the
    servers', where there are any."""
    found = read(data=data, **flags).settings
    return found if data is None else in_folder(found)


def in_folder(settings: Settings) -> Settings:
    """The same settings, but for servers that are named elsewhere."""
    from msgspec.structs import replace

    return replace(settings, redis_url=None, database_url=None)


def folder(data: str | None) -> Path:
    """The data folder that is meant; it need not exist."""
    return Path(read(data=data).settings.data)


@click.group(name="config")
def config() -> None:
    """What this machine's settings are."""


@config.command()
@data_option
@answering
def show(screen: Screen, data: str | None) -> None:
    """Every setting, its value, and where the value comes from.

    Example: CHECKREIN_PORT=9000 checkrein config show
    """
    found = read(data=data)
    rows = {
        name: (_told(name, getattr(found.settings, name)), found.origins[name])
        for name in Settings.__struct_fields__
    }
    if screen.json:
        screen.answer(
            {name: {"value": value, "from": came} for name, (value, came) in rows.items()}
        )
        return
    screen.table(
        ("setting", "value", "from"),
        [(name, "" if value is None else str(value), came) for name, (value, came) in rows.items()],
    )


def _told(name: str, value: Any) -> Any:
    return "(secret)" if name in SECRETS and value is not None else value
