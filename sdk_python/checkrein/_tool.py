"""What the decorator knows about a function: its name, its signature, how it is judged.

Arguments are bound once. What is checked is made from the very objects that the body gets.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from checkrein import _names
from checkrein._redactions import redact_also
from checkrein._settings import Capture, OnUnavailable
from checkrein._sizes import SCHEMA_BYTES
from checkrein._trust import Provenance, provenance

SideEffect = Literal[
    "read", "write", "delete", "payment", "message", "access", "deploy", "exec", "network"
]
SIDE_EFFECTS = frozenset(get_args(SideEffect))
Amount = tuple[int, str]
AmountOf = tuple[str, str] | Callable[[Mapping[str, Any]], Amount | None]
KeyOf = str | Callable[[Mapping[str, Any]], str]
CostOf = Callable[[Any], Amount | None]

Parameter = inspect.Parameter
_ANYTHING = inspect.Signature(
    [Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)]
)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `guard`; see there."""

    name: str | None = None
    side_effects: frozenset[str] = frozenset()
    amount: AmountOf | None = None
    idempotency_key: KeyOf | None = None
    redact: tuple[str, ...] = ()
    on_unavailable: OnUnavailable | None = None
    capture: Capture | None = None
    trust: Provenance = "untrusted"
    cost: CostOf | None = None
    timeout: float | None = None
    mcp: dict[str, str] = {}


class Tool:
    """A guarded function. A `functools.partial` is seen through: what it fixes is checked too."""

    def __init__(self, fn: Callable[..., Any], options: Options) -> None:
        self._fixed: tuple[Any, ...] = ()
        self._fixed_names: dict[str, Any] = {}
        if isinstance(fn, functools.partial):
            self._fixed, self._fixed_names, fn = fn.args, fn.keywords, fn.func
        self.fn = fn
        self.options = options
        self.name = _names.name(options.name or _name(fn)) or "tool"
        self.signature = _signature(fn)
        parameters = list(self.signature.parameters.values())
        receiver = bool(parameters) and parameters[0].name in {"self", "cls"}
        self._receiver = parameters[0].name if receiver else None
        self._extra = _kind(parameters, Parameter.VAR_KEYWORD)
        self._rest = _kind(parameters, Parameter.VAR_POSITIONAL)
        self._refuse_unknown_names()
        own = _names.name(getattr(fn, "__name__", "")) or self.name
        # What a plan may call it: providers are often given the function's own name.
        self.names = (self.name, own)
        if options.redact:
            redact_also(self.names, options.redact)

    @functools.cached_property
    def description(self) -> str | None:
        """The first paragraph of the docstring."""
        text = inspect.getdoc(self.fn)
        return text.split("\n\n")[0][:1000] if text else None

    @functools.cached_property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, as far as the annotations tell."""
        shown = [
            parameter
            for parameter in self.signature.parameters.values()
            if parameter.name not in {self._receiver, self._extra, self._rest}
        ]
        hints = _hints(self.fn)
        properties, defs = _schemas([hints.get(parameter.name, Any) for parameter in shown])
        made: dict[str, Any] = {
            "type": "object",
            "properties": {
                parameter.name: schema for parameter, schema in zip(shown, properties, strict=True)
            },
            "required": [one.name for one in shown if one.default is Parameter.empty],
        }
        made |= {"$defs": defs} if defs else {}
        small = len(msgspec.json.encode(made)) <= SCHEMA_BYTES
        return made if small else {"type": "object"}

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        """Bind with defaults. Raises TypeError where the function itself would."""
        bound = self.signature.bind(*self._fixed, *args, **{**self._fixed_names, **kwargs})
        bound.apply_defaults()
        return bound

    def named(self, bound: inspect.BoundArguments) -> dict[str, Any]:
        """Arguments by name; `**kwargs` are spread, unless one would hide a parameter."""
        named = {
            name: value
            for name, value in bound.arguments.items()
            if name not in {self._receiver, self._extra} and (value or name != self._rest)
        }
        extra = bound.arguments.get(self._extra, {}) if self._extra else {}
        if named.keys() & extra.keys():
            return {**named, f"**{self._extra}": extra}
        return {**named, **extra}

    def rebind(
        self, bound: inspect.BoundArguments, changed: Mapping[str, Any], untouched: frozenset[str]
    ) -> inspect.BoundArguments:
        """The call with changed arguments. Raises ValueError when they do not fit the function.

        Arguments named in `untouched` stay the objects that they are; others are converted to the
        type that the function declares.
        """
        original = self.named(bound)
        hints = _hints(self.fn)
        extra: dict[str, Any] = {}
        made = {self._receiver: bound.arguments[self._receiver]} if self._receiver else {}
        for name, value in changed.items():
            if name not in self.signature.parameters or name in {self._extra, self._receiver}:
                if self._extra is None or name.startswith("**"):
                    raise ValueError(f"there is no parameter {name}")
                extra[name] = original[name] if name in untouched else value
            elif name in untouched:
                made[name] = original[name]
            elif name == self._rest:
                made[name] = tuple(value)
            else:
                made[name] = _convert(value, original.get(name), hints.get(name, Any))
        if extra and self._extra:
            made[self._extra] = extra
        again = inspect.BoundArguments(self.signature, _in_order(self.signature, made))
        again.apply_defaults()
        missing = self.signature.parameters.keys() - again.arguments.keys()
        if missing:
            raise ValueError(f"no value for {', '.join(sorted(missing))}")
        return again

    def _refuse_unknown_names(self) -> None:
        """A misspelt argument in `redact` would leak, silently, what it was meant to hide."""
        if self._extra is not None:
            return
        given = self.options
        named = [path.split(".")[0] for path in given.redact]
        named += [given.idempotency_key] if isinstance(given.idempotency_key, str) else []
        named += given.amount if isinstance(given.amount, tuple) else ()
        unknown = set(named) - self.signature.parameters.keys()
        if unknown:
            raise ValueError(f"{self.name} has no parameter {', '.join(sorted(unknown))}")


def options(side_effects: Sequence[str], redact: Sequence[str], **given: Any) -> Options:
    """Options, with the mistakes that would otherwise stay silent refused at once."""
    unknown = set(side_effects) - SIDE_EFFECTS
    if isinstance(side_effects, str) or unknown:
        raise ValueError(f"side_effects is a list of {', '.join(sorted(SIDE_EFFECTS))}")
    if isinstance(redact, str):
        raise TypeError("redact is a list of argument names")
    for name, words in (("on_unavailable", OnUnavailable), ("capture", Capture)):
        if given.get(name) is not None and given[name] not in get_args(words):
            raise ValueError(f"{name} is one of {', '.join(get_args(words))}")
    given["trust"] = provenance(given.get("trust"))
    return Options(side_effects=frozenset(side_effects), redact=tuple(redact), **given)


def _name(fn: Callable[..., Any]) -> str:
    """The qualified name without its module and without enclosing functions."""
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    return str(name).rpartition("<locals>.")[2]


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):
        return _ANYTHING


def _kind(parameters: Sequence[inspect.Parameter], kind: Any) -> str | None:
    return next((one.name for one in parameters if one.kind is kind), None)


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(inspect.unwrap(fn))
    except Exception:  # noqa: BLE001 - annotations may name what only type checkers see
        return {}


def _schemas(types: list[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    template = "#/$defs/{name}"
    try:
        found, defs = msgspec.json.schema_components(types, ref_template=template)
        return list(found), defs
    except Exception:  # noqa: BLE001 - one type without a schema must not cost the others theirs
        return [_schema_alone(one) for one in types], {}


def _schema_alone(one: Any) -> dict[str, Any]:
    try:
        return msgspec.json.schema(one)
    except Exception:  # noqa: BLE001 - as above
        return {}


def _convert(value: Any, original: Any, hint: Any) -> Any:
    """A changed JSON value as the type that the function declares, else as the one it replaces."""
    kind = type(original) if hint is Any and original is not None else hint
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(f"the changed value is not a {kind}") from error


def _in_order(signature: inspect.Signature, made: dict[Any, Any]) -> Any:
    """BoundArguments wants the order of the parameters."""
    return {name: made[name] for name in signature.parameters if name in made}
