"""The clients of OpenAI and Anthropic, changed where they send.

Both libraries come from one generator: a resource sends by its own `_post(path, body=...)`, whether
it was called as `create`, `parse` or `stream`, raw or not. That is where a call is seen, with the
body as it goes over the wire. The client stays the object it is; wrapping it twice is once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from checkrein.clients._prices import Price, Prices
from checkrein.clients._requests import CHAT, MESSAGES, RESPONSES, ModelRequest
from checkrein.clients._sending import send, send_async
from checkrein.clients._serving import wrap_transport

Client = TypeVar("Client")
_WRAPPED = "_checkrein_wrapped"
_POST = "_post"
_OPENAI = (
    ("chat.completions", "/chat/completions", CHAT),
    ("beta.chat.completions", "/chat/completions", CHAT),
    ("responses", "/responses", RESPONSES),
)
_ANTHROPIC = (("messages", "/v1/messages", MESSAGES), ("beta.messages", "/v1/messages", MESSAGES))
_Resources = tuple[tuple[str, str, str], ...]


def wrap_openai(client: Client, *, prices: Mapping[str, Price] | None = None) -> Client:
    """Record every call of this client's models, and return the client.

    client = checkrein.wrap_openai(OpenAI())

    Chat completions and responses, synchronous, asynchronous and streamed. Inside a run each call
    is an event; tool calls that an answer proposes are the plan of the calls that follow, where
    the code has said no plan itself. `prices` by the model's name: without one there is no cost.
    """
    return _wrap(client, "openai", _OPENAI, prices or {})


def wrap_anthropic(client: Client, *, prices: Mapping[str, Price] | None = None) -> Client:
    """Record every call of this client's models, and return the client.

    client = checkrein.wrap_anthropic(Anthropic())

    `messages.create` and `messages.stream`, synchronous and asynchronous; else as `wrap_openai`.
    """
    return _wrap(client, "anthropic", _ANTHROPIC, prices or {})


def _wrap(client: Client, provider: str, resources: _Resources, prices: Prices) -> Client:
    found = [
        (resource, path, api)
        for name, path, api in resources
        if (resource := _resource(client, name)) is not None
    ]
    if not found:
        raise TypeError(f"{type(client).__name__} is no client of {provider} that is known here")
    for resource, path, api in found:
        if getattr(resource, _WRAPPED, None) is None:
            sender = _sender(getattr(resource, _POST), path, provider, api, prices)
            setattr(resource, _POST, sender)
            setattr(resource, _WRAPPED, True)
    wrap_transport(client)
    if getattr(client, _WRAPPED, None) is None:
        _wrap_copies(client, provider, resources, prices)
    return client


def _sender(
    post: Callable[..., Any], path: str, provider: str, api: str, prices: Prices
) -> Callable[..., Any]:
    def asked(sent: str, options: Mapping[str, Any]) -> ModelRequest | None:
        # Other addresses of the resource, such as counting tokens, ask no model.
        if sent.partition("?")[0] != path:
            return None
        extra = (options.get("options") or {}).get("extra_json") or {}
        given = {**(options.get("body") or {}), **extra}
        body = {name: value for name, value in given.items() if not _left_out(value)}
        return ModelRequest(provider, api, body, streaming=bool(options.get("stream")))

    if inspect.iscoroutinefunction(post):

        @functools.wraps(post)
        async def post_async(sent: str, **options: Any) -> Any:
            known = asked(sent, options)
            if known is None:
                return await post(sent, **options)
            return await send_async(known, prices, lambda: post(sent, **options))

        return post_async

    @functools.wraps(post)
    def post_here(sent: str, **options: Any) -> Any:
        known = asked(sent, options)
        if known is None:
            return post(sent, **options)
        return send(known, prices, lambda: post(sent, **options))

    return post_here


def _left_out(value: Any) -> bool:
    """What these libraries have for an argument that nobody gave."""
    return value is None or type(value).__name__ in ("NotGiven", "Omit")


def _wrap_copies(client: Any, provider: str, resources: _Resources, prices: Prices) -> None:
    """`with_options` makes another client, which is wrapped as well."""
    copy = getattr(client, "copy", None)
    if copy is None:
        return

    @functools.wraps(copy)
    def copied(*args: Any, **options: Any) -> Any:
        return _wrap(copy(*args, **options), provider, resources, prices)

    client.copy = client.with_options = copied
    setattr(client, _WRAPPED, True)


def _resource(client: Any, name: str) -> Any:
    """The resource of that name, None where this client has none that sends."""
    found = client
    for step in name.split("."):
        found = getattr(found, step, None)
    return found if callable(getattr(found, _POST, None)) else None
