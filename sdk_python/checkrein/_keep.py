"""From what `observe(...)` was given to what a run keeps: text cut to size, masked, shaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from checkrein._names import identifier, name
from checkrein._observed import Observed
from checkrein._plain import Plainer
from checkrein._sizes import CONTEXT_BYTES, TEXT_BYTES, fit, short

# Beside the arguments of a call, all of this must leave room within the gateway's node limit.
OBJECT_NODES = 1500


def keep(observed: Observed, seen: Mapping[str, Any]) -> None:
    """Keep everything in `seen` that is not None. Raises TypeError for a word it does not know."""
    for word, value in seen.items():
        if word not in _KEEP:
            raise TypeError(f"observe() does not know {word!r}; it knows {', '.join(_KEEP)}")
        if value is not None:
            _KEEP[word](observed, value)


def _request(observed: Observed, text: Any) -> None:
    observed.set("request", _masked_text(observed, text))


def _plan(observed: Observed, plan: Any) -> None:
    given = plan if isinstance(plan, Mapping) else {"text": plan}
    kept: dict[str, Any] = {}
    if given.get("text") is not None:
        kept["text"] = _masked_text(observed, given["text"])
    if given.get("arguments") is not None:
        kept["arguments"] = _masked_object(observed, given["arguments"], TEXT_BYTES)
    if given.get("tool") is not None:
        kept["tool"] = name(given["tool"]) or "tool"
    observed.set("plan", kept)


def _reasoning(observed: Observed, text: Any) -> None:
    observed.set("reasoning", _masked_text(observed, text))


def _context(observed: Observed, seen: Any) -> None:
    for item in seen if isinstance(seen, list | tuple) else [seen]:
        given = item if isinstance(item, Mapping) else {"text": item}
        text = _masked_text(observed, given.get("text", ""), CONTEXT_BYTES)
        source = _masked_text(observed, given.get("source") or "retrieved", 2000)
        id_ = identifier(given.get("id") or f"ctx_{observed.masker.label(source, text)}")
        trusted = given.get("trusted") is True
        observed.see({"id": id_, "source": source, "trusted": trusted, "text": text})


def _model(observed: Observed, model: Any) -> None:
    given = model if isinstance(model, Mapping) else {"id": model}
    kept: dict[str, Any] = {key: name(given[key]) for key in ("provider", "id") if given.get(key)}
    kept["parameters"] = _masked_object(observed, given.get("parameters") or {}, 8192)
    observed.set("model", kept)


def _prompt_version(observed: Observed, version: Any) -> None:
    observed.set("prompt_version", identifier(version))


def _tools_available(observed: Observed, tools: Any) -> None:
    names = [shown for tool in list(tools)[:1024] if (shown := name(tool))]
    observed.set("tools_available", fit(names, TEXT_BYTES)[0])


def _external_state(observed: Observed, state: Any) -> None:
    observed.set("external_state", _masked_object(observed, state, TEXT_BYTES))


_KEEP: dict[str, Callable[[Observed, Any], None]] = {
    "request": _request,
    "plan": _plan,
    "reasoning": _reasoning,
    "context": _context,
    "retrieved": _context,
    "model": _model,
    "prompt_version": _prompt_version,
    "tools_available": _tools_available,
    "external_state": _external_state,
}


def _masked_text(observed: Observed, value: Any, limit: int = TEXT_BYTES) -> str:
    """Text as it is, anything else as its JSON. Masked first, so that no cut hides a secret."""
    plain = Plainer()(value).value
    text = plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
    return short(observed.masker.text(text), limit)


def _masked_object(observed: Observed, value: Any, limit: int) -> dict[str, Any]:
    made: dict[str, Any] = fit(
        observed.masker.value(Plainer(OBJECT_NODES)(dict(value)).value), limit
    )[0]
    return made
