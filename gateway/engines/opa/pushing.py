"""Bringing a ruleset to the server and taking it away, so that half of it never answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from gateway.engines.opa import resolved
from gateway.engines.opa.client import (
    JSON,
    NO_JSON,
    TEXT,
    Client,
    Reply,
    ReplyTooLarge,
    Unreachable,
)
from gateway.engines.opa.copies import ROOT, Copy, Module, entry_id, module_id
from gateway.engines.opa.limits import MIB, Limits
from gateway.errors import EngineUnavailable, PolicyInvalid

REPLY_BYTES = MIB
# Whoever waits for a ruleset need not wait longer to learn that nothing is there.
ANSWER_SECONDS = 1.0
READERS = 4
UNDEFINED = "undefined function"


class _About(Struct, frozen=True):
    mark: str
    version: str = ""


class _AboutReply(Struct, frozen=True):
    result: _About | None = None


async def about(client: Client, copy: Copy) -> str | None:
    """The server's version when it has a whole copy; None when not. Raises EngineUnavailable."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reply = await exchange(client, "POST", copy.about_path, b"{}")
    except TimeoutError as error:
        raise EngineUnavailable("OPA does not answer") from error
    try:
        found = msgspec.json.decode(reply.body, type=_AboutReply).result
    except NO_JSON:
        raise EngineUnavailable("what answers there is no OPA server") from None
    return found.version if reply.status == 200 and found and found.mark == copy.mark else None


async def push(client: Client, copy: Copy, limits: Limits, *, verify: bool = True) -> str:
    """Make the server have this copy, whole and read back; the server's version.

    The entry comes last, and only when every module is what it should be: from then on others
    rely on it. Raises PolicyInvalid, EngineUnavailable.
    """
    if (version := await about(client, copy)) is not None:
        return version
    await _put(client, copy.data_path, copy.data, JSON)
    await _put_modules(client, copy.modules)
    if verify:
        await _verify(client, copy, limits)
    if refused := await _put_module(client, copy.entry):
        raise EngineUnavailable(f"OPA refuses the entry of a policy: {refused[0]}")
    if (version := await about(client, copy)) is None:
        raise EngineUnavailable("OPA took a policy and does not know it afterwards")
    return version


async def remove(client: Client, key: str, modules: int) -> None:
    """Take a copy away. Where somebody brought it back meanwhile, OPA keeps the modules.

    The entry goes first, the callers before what they call. Raises EngineUnavailable.
    """
    gone = {200, 204, 404}
    for policy in (entry_id(key), *(module_id(key, n) for n in reversed(range(modules)))):
        reply = await exchange(client, "DELETE", f"policies/{policy}")
        if reply.status not in gone:
            return
    await exchange(client, "DELETE", f"data/{ROOT}/{key}")


async def _put_modules(client: Client, modules: Iterable[Module]) -> None:
    """In their order; one whose functions are not there yet is tried again after the others."""
    waiting = list(modules)
    while waiting:
        refused: list[tuple[Module, list[str]]] = []
        for module in waiting:
            if complaints := await _put_module(client, module):
                refused.append((module, complaints))
                if not any(UNDEFINED in complaint for complaint in complaints):
                    raise PolicyInvalid(complaints)
        if len(refused) == len(waiting):
            raise PolicyInvalid([line for _, complaints in refused for line in complaints])
        waiting = [module for module, _ in refused]


async def _put_module(client: Client, module: Module) -> list[str]:
    """Put a module; what OPA has against it, nothing when it took it."""
    reply = await exchange(client, "PUT", f"policies/{module.id}", module.text.encode(), TEXT)
    if reply.status == 200:
        return []
    refusal = reply.refusal()
    if reply.status != 400 or refusal is None:
        raise EngineUnavailable(f"OPA answers {reply.status} to a policy")
    lines = [
        f"{module.path}:{(each.location or {}).get('row', 1)}: {each.message}"
        for each in refusal.errors
    ]
    return lines or [f"{module.path}:1: {refusal.message}"]


async def _put(client: Client, path: str, body: bytes, headers: dict[str, str]) -> None:
    reply = await exchange(client, "PUT", path, body, headers)
    if reply.status not in {200, 204}:
        refusal = reply.refusal()
        raise EngineUnavailable(
            f"OPA answers {reply.status} to data: {refusal.message if refusal else ''}"
        )


async def _verify(client: Client, copy: Copy, limits: Limits) -> None:
    """Read every module back, as OPA understood it."""
    reading = asyncio.Semaphore(READERS)

    async def one(module: Module) -> str | None:
        async with reading:
            path = f"policies/{module.id}"
            reply = await exchange(client, "GET", path, most=limits.readback_bytes)
            wrong = await asyncio.to_thread(resolved.fault, reply.body, module.text, copy.prefix)
            return f"{module.path}:1: {wrong}" if wrong else None

    found = await asyncio.gather(*map(one, copy.modules))
    if wrong := [line for line in found if line]:
        raise PolicyInvalid(wrong)


async def exchange(
    client: Client,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] = JSON,
    *,
    most: int = REPLY_BYTES,
) -> Reply:
    try:
        return await client.exchange(method, path, body, headers=headers, most=most)
    except Unreachable as error:
        raise EngineUnavailable(f"OPA cannot be reached ({error})") from error
    except ReplyTooLarge as error:
        raise EngineUnavailable("OPA's reply is too large") from error
