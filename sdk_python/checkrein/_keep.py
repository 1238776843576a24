"""From what `observe(...)` was given to what a run keeps: text cut to size, masked, shaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from checkrein._content import masked_object, masked_text
from checkrein._names import identifier, name
from checkrein._observed import Asked, Observed
from checkrein._plan import planned
from checkrein._sizes import CONTEXT_BYTES, TEXT_BYTES, fit


def keep(observed: Observed, seen: Mapping[str, Any]) -> None:
    """Keep everything in `seen` that is not None. Raises TypeError for a word it does not know."""
    for word, value in seen.items():
        if word not in _KEEP:
            raise TypeError(f"observe() does not know {word!r}; it knows {', '.join(_KEEP)}")
        if value is not None:
            _KEEP[word](observed, value)


def _request(observed: Observed, text: Any) -> None:
    observed.ask("request", Asked(masked_text(observed.masker, text)))


def _plan(observed: Observed, plan: Any) -> None:
    observed.ask("plan", planned(observed.masker, plan))


def _reasoning(observed: Observed, text: Any) -> None:
    observed.set("reasoning", masked_text(observed.masker, text))


def _context(observed: Observed, seen: Any) -> None:
    for item in seen if isinstance(seen, list | tuple) else [seen]:
        given = item if isinstance(item, Mapping) else {"text": item}
        text = masked_text(observed.masker, given.get("text", ""), CONTEXT_BYTES)
        source = masked_text(observed.masker, given.get("source") or "retrieved", 2000)
        made = observed.item(source, text, trusted=given.get("trusted") is True)
        observed.see({**made, "id": identifier(given["id"])} if given.get("id") else made)


def _model(observed: Observed, model: Any) -> None:
    given = model if isinstance(model, Mapping) else {"id": model}
    kept: dict[str, Any] = {key: name(given[key]) for key in ("provider", "id") if given.get(key)}
    kept["parameters"] = masked_object(observed.masker, given.get("parameters") or {}, 8192)
    observed.set("model", kept)


def _prompt_version(observed: Observed, version: Any) -> None:
    observed.set("prompt_version", identifier(version))


def _tools_available(observed: Observed, tools: Any) -> None:
    names = [shown for tool in list(tools)[:1024] if (shown := name(tool))]
    observed.set("tools_available", fit(names, TEXT_BYTES)[0])


def _external_state(observed: Observed, state: Any) -> None:
    observed.set("external_state", masked_object(observed.masker, state, TEXT_BYTES))


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
