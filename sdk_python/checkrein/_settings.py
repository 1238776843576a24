"""Every setting, its variable and its default, in one place.

Reading never fails: what cannot be understood is named in `problems` and replaced by the careful
choice, so that a misspelt variable neither breaks an import nor opens a gate. `init()` is strict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast, get_args

import msgspec

OnUnavailable = Literal["allow", "deny", "allow_reads"]
Redaction = Literal["standard", "off"]
Capture = Literal["full", "digest"]

LENIENT = frozenset({"development", "staging"})
DEFAULT_URL = "http://127.0.0.1:8400"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`deadline` is in seconds; `on_unavailable` None leaves the choice to the environment.

    `key_environment` is the one that the API key was made for.
    """

    url: str = DEFAULT_URL
    api_key: str | None = None
    environment: str = "development"
    key_environment: str | None = None
    agent: str | None = None
    deadline: float = 0.3
    on_unavailable: OnUnavailable | None = None
    redaction: Redaction = "standard"
    capture: Capture = "full"

    @property
    def lenient(self) -> bool:
        """Whether unchecked calls may run here unless something says otherwise.

        The key's own environment counts as well: forgetting CHECKREIN_ENVIRONMENT next to a
        production key must not open the gate.
        """
        return {self.environment, self.key_environment or self.environment} <= LENIENT


class _Knob(NamedTuple):
    variable: str
    read: Callable[[str], Any]
    careful: Any


def load(environ: Mapping[str, str], **given: Any) -> tuple[Settings, list[str]]:
    """Settings, and a sentence for each value that could not be understood."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, knob in KNOBS.items():
        raw = given.get(name)
        raw = environ.get(knob.variable, "") if raw is None else str(raw)
        if not raw.strip():
            continue
        try:
            values[name] = knob.read(raw.strip())
        except ValueError as error:
            problems.append(f"{knob.variable}: {error}")
            if knob.careful is not None:
                values[name] = knob.careful
    made_for = _environment_of(values.get("api_key"))
    environment = values.setdefault("environment", made_for or "development")
    values.setdefault("deadline", 0.3 if environment == "development" else 1.0)
    return Settings(**values, key_environment=made_for), problems


def _url(raw: str) -> str:
    if not raw.startswith(("http://", "https://")):
        raise ValueError(f"{raw[:80]!r} must begin with http:// or https://")
    return raw.rstrip("/")


def _key(raw: str) -> str:
    if not (raw.isascii() and raw.isprintable()) or " " in raw:
        raise ValueError("the key must be printable ASCII without spaces")
    return raw


def _word(raw: str) -> str:
    return raw[:256]


def _seconds(raw: str) -> float:
    try:
        seconds = float(raw)
    except ValueError:
        seconds = -1.0
    if not 0.01 <= seconds <= 60:
        raise ValueError(f"{raw[:80]!r} must be seconds between 0.01 and 60")
    return seconds


def _one_of(words: object) -> Callable[[str], Any]:
    def read(raw: str) -> str:
        if raw not in get_args(words):
            raise ValueError(f"{raw[:80]!r} must be one of {', '.join(get_args(words))}")
        return raw

    return read


def _environment_of(key: object) -> str | None:
    """`cr_<environment>_<id>_<secret>_<crc>` names the environment it was made for."""
    parts = cast(str, key).split("_") if key else []
    return "_".join(parts[1:-3]) if len(parts) >= 5 and parts[0] == "cr" else None


KNOBS: dict[str, _Knob] = {
    "url": _Knob("CHECKREIN_URL", _url, None),
    "api_key": _Knob("CHECKREIN_API_KEY", _key, None),
    "environment": _Knob("CHECKREIN_ENVIRONMENT", _word, None),
    "agent": _Knob("CHECKREIN_AGENT", _word, None),
    "deadline": _Knob("CHECKREIN_DEADLINE", _seconds, None),
    "on_unavailable": _Knob("CHECKREIN_ON_UNAVAILABLE", _one_of(OnUnavailable), "deny"),
    "redaction": _Knob("CHECKREIN_REDACTION", _one_of(Redaction), "standard"),
    "capture": _Knob("CHECKREIN_CAPTURE", _one_of(Capture), "digest"),
}
