"""`checkrein keys`: API keys are made, listed, replaced and revoked in the stores themselves.

A running gateway notices within seconds, so none of this needs a restart.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, USAGE, Failure
from gateway.cli.folder import PROJECT, with_control
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.storage.ports import Control, KeyRecord
    from gateway.wiring.stores import ControlStores

SCOPES = ("check", "read")
ADMIN = "admin"
DAY_NS = 86_400 * 1_000_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group(name="keys")
def keys() -> None:
    """Make, list, replace and revoke API keys."""


@keys.command()
@click.option("--environment", metavar="NAME", help="What the key is for. Default: development")
@click.option("--name", default="", help="A name to recognise it by.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice((*SCOPES, ADMIN)),
    default=SCOPES,
    help="What the key may do; can be given again. Default: check and read.",
)
@click.option("--agent", metavar="ID", help="Bind the key to one agent.")
@click.option("--expires", metavar="DAYS", type=click.IntRange(1, 3650), help="Days it is valid.")
@data_option
@answering
def create(
    screen: Screen,
    environment: str | None,
    name: str,
    scopes: tuple[str, ...],
    agent: str | None,
    expires: int | None,
    data: str | None,
) -> None:
    """Make a key. It is shown once, and kept nowhere.

    Example: checkrein keys create --environment production --name "billing agent"
    """
    settings = chosen(data, environment=environment)
    until = None if expires is None else _at(time.time_ns() + expires * DAY_NS)

    async def work(stores: ControlStores) -> tuple[str, KeyRecord]:
        return await made(
            stores,
            settings.environment,
            name=name,
            scopes=scopes,
            agent_id=agent,
            expires_at=until,
        )

    text, record = with_control(settings, work)
    _show_new(screen, text, record)


@keys.command(name="list")
@data_option
@answering
def list_(screen: Screen, data: str | None) -> None:
    """Every key, without the keys themselves.

    Example: checkrein keys list --json
    """

    async def work(stores: ControlStores) -> list[KeyRecord]:
        return list(await stores.control.keys())

    found = [_as_dict(record) for record in with_control(chosen(data), work)]
    if screen.json:
        screen.answer(found)
        return
    columns = ("id", "name", "environment", "scopes", "agent", "state", "created", "expires")
    screen.table(
        columns,
        [
            (
                each["id"],
                each["name"],
                each["environment"],
                " ".join(each["scopes"]),
                each["agent_id"] or "any",
                each["state"],
                each["created_at"][:16],
                (each["expires_at"] or "never")[:16],
            )
            for each in found
        ],
    )


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--grace",
    metavar="TIME",
    help="How long the old key still works, such as 30m, 24h or 7d. Default: until it is revoked.",
)
@data_option
@answering
def rotate(screen: Screen, key_id: str, grace: str | None, data: str | None) -> None:
    """Make a new key like another one, which goes on working meanwhile.

    Example: checkrein keys rotate 3kTMd0XvPq1Z9aRs --grace 24h
    """
    ends = None if grace is None else _at(time.time_ns() + _seconds(grace) * 1_000_000_000)

    async def work(stores: ControlStores) -> tuple[str, KeyRecord]:
        old = await _found(stores.control, key_id)
        text, record = await made(
            stores,
            old.environment,
            name=old.name,
            scopes=old.scopes,
            agent_id=old.agent_id,
            expires_at=old.expires_at,
        )
        if ends is not None:
            await stores.control.expire_key(old.id, ends)
        return text, record

    text, record = with_control(chosen(data), work)
    _show_new(screen, text, record, {"replaces": key_id, "old_key_ends_at": ends})


@keys.command()
@click.argument("key_id", metavar="ID")
@data_option
@answering
def revoke(screen: Screen, key_id: str, data: str | None) -> None:
    """End a key. Gateways stop accepting it within seconds.

    Example: checkrein keys revoke 3kTMd0XvPq1Z9aRs
    """
    now = _at(time.time_ns())

    async def work(stores: ControlStores) -> str:
        record = await _found(stores.control, key_id)
        await stores.control.revoke_key(key_id, now)
        return record.revoked_at or now

    at = with_control(chosen(data), work)
    if screen.json:
        screen.answer({"id": key_id, "revoked_at": at})
    else:
        screen.say(f"{key_id} is revoked since {at}.")


async def made(
    stores: ControlStores,
    environment: str,
    *,
    name: str,
    scopes: tuple[str, ...] = SCOPES,
    agent_id: str | None = None,
    expires_at: str | None = None,
) -> tuple[str, KeyRecord]:
    """A new key of the default project: its text and its record."""
    from gateway.checking.authenticate import pepper
    from gateway.domain import api_keys
    from gateway.storage.ports import KeyRecord

    text, key_id, _ = api_keys.make(environment)
    record = KeyRecord(
        id=key_id,
        project_id=await stores.control.project(PROJECT),
        environment=environment,
        name=name,
        digest=api_keys.digest(pepper(stores.master), text),
        scopes=tuple(sorted(set(scopes))),
        created_at=_at(time.time_ns()),
        agent_id=agent_id,
        expires_at=expires_at,
    )
    await stores.control.add_key(record)
    return text, record


async def _found(control: Control, key_id: str) -> KeyRecord:
    for record in await control.keys():
        if record.id == key_id:
            return record
    raise Failure(f"There is no key {key_id}.", "checkrein keys list", ABSENT)


def _show_new(
    screen: Screen, text: str, record: KeyRecord, more: dict[str, str | None] | None = None
) -> None:
    if screen.json:
        screen.answer({"api_key": text, **_as_dict(record), **(more or {})})
        return
    screen.progress(f"{record.id} for {record.environment}; this is the only time it is shown:")
    screen.say(text)


def _as_dict(record: KeyRecord) -> dict[str, Any]:
    """A record for people: no digest, and the state it is in now."""
    from msgspec.structs import asdict

    fields = {name: value for name, value in asdict(record).items() if name != "digest"}
    return {**fields, "scopes": list(record.scopes), "state": _state(record)}


def _state(record: KeyRecord) -> str:
    # RFC 3339 in UTC with a fixed number of digits: the order of the texts is that of the times.
    now = _at(time.time_ns())
    if record.revoked_at is not None:
        return "revoked"
    if record.expires_at is not None and record.expires_at <= now:
        return "expired"
    return "valid"


def _at(ns: int) -> str:
    from gateway.domain.instants import rfc3339

    return rfc3339(ns)


def _seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or unit not in _UNITS or len(number) > 6:
        raise Failure(f"{text} is no length of time.", "--grace 30m, 24h or 7d", USAGE)
    return int(number) * _UNITS[unit]
