"""What in a call would be otherwise the next time: five kinds, each told from its own evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from math import isfinite, log2
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.intent.v1.values import Leaf, flatten, words
from gateway.replay.determinism.known import Known

Kind = Literal["timestamp", "random", "external_state", "floating_point", "ordering"]
Severity = Literal["critical", "high", "medium", "low"]
NEAR_SECONDS: Final = 900
EFFECTS: Final = frozenset({"payment", "message", "delete", "deploy", "access", "exec"})
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_UUID: Final = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"(?![0-9a-f-])",
    re.IGNORECASE,
)
_BARE_UUID: Final = re.compile(
    r"(?<![0-9a-z])[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}(?![0-9a-z])"
)
_ULID: Final = re.compile(r"(?<![0-9A-Za-z])[0-7][0-9A-HJKMNP-TV-Z]{25}(?![0-9A-Za-z])")
_TOKEN: Final = re.compile(r"(?<![\w-])[A-Za-z0-9_-]{20,128}(?![\w-])")
# Versions 3 and 5 are digests of a name: the same name gives the same UUID.
_MADE_UP: Final = frozenset("14678")
_DIGESTS: Final = frozenset({32, 40, 56, 64, 96, 128})
_IDEMPOTENT: Final = frozenset({"idempotency", "idempotent", "dedup", "deduplication", "nonce"})


class Made(Struct, frozen=True):
    """A call as the detectors see it; `at` is when it was decided, in seconds since 1970."""

    seq: int
    tool: str
    arguments: Mapping[str, Any]
    effects: frozenset[str]
    at: float


class Issue(Struct, frozen=True):
    """One thing found. `place` is a JSON Pointer into the call's arguments, or its output.

    `told` says in words what was seen. The source line is known where code was at hand, which the
    record alone never has.
    """

    kind: Kind
    severity: Severity
    seq: int
    tool: str
    place: str
    value: Any
    told: str
    line: int | None = None


def of_values(made: Made, known: Known) -> Iterator[Issue]:
    """Clocks, randomness and rounding in the values of a call."""
    for leaf in flatten(made.arguments):
        if isinstance(leaf.value, bool) or leaf.value is None:
            continue
        found = _clock(made, leaf, known) or _chance(made, leaf, known) or _rounding(leaf, known)
        if found is not None:
            kind, severity, told = found
            yield Issue(kind, severity, made.seq, made.tool, leaf.pointer, leaf.value, told)


_Found = tuple[Kind, Severity, str]


def _clock(made: Made, leaf: Leaf, known: Known) -> _Found | None:
    """A moment close to that of the call, which nobody had said."""
    moment, written = _moment(leaf.value)
    if moment is None or abs(moment - made.at) > NEAR_SECONDS or _said(written, known):
        return None
    keyed = bool(_IDEMPOTENT & set(words(leaf.key)))
    severity: Severity = "critical" if keyed else "high" if made.effects & EFFECTS else "medium"
    away = round(moment - made.at)
    side = "before" if away < 0 else "after"
    told = f"a time {abs(away)} s {side} the call, which nothing before says"
    return "timestamp", severity, told


def _said(written: str, known: Known) -> bool:
    """Whether a time was said: to the letter, to the minute, or as a time of day that is whole."""
    minute = written[:16].upper()
    if any(map(known.says, (written, minute, minute.replace("T", " ")))):
        return True
    return minute[10:11] in ("T", " ") and known.says(minute[11:16])


def moment_of(value: Any) -> float | None:
    """Seconds since 1970 that a value stands for, in any form in which code writes the time."""
    return _moment(value)[0]


def made_up(value: Any) -> str | None:
    """What kind of made-up identifier a value holds; None where it holds none."""
    return next((what for _, what in _made_up(value)), None) if isinstance(value, str) else None


def _moment(value: Any) -> tuple[float | None, str]:
    """Seconds since 1970 that a value stands for, and the text that would say so."""
    if isinstance(value, int | float) and isfinite(value):
        for unit in (1, 1_000, 1_000_000, 1_000_000_000):
            if 1.5e9 <= value / unit < 4.1e9:
                return value / unit, str(value)
        return None, ""
    if not isinstance(value, str):
        return None, ""
    if value.isascii() and value.isdigit() and len(value) in (10, 13, 16, 19):
        return int(value) / 10 ** (len(value) - 10), value
    found = _INSTANT.search(value[:256])
    if found is None:
        return None, ""
    try:
        moment = datetime.fromisoformat(found.group().replace(",", "."))
    except ValueError:
        return None, ""
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return known.timestamp(), found.group()


def _chance(made: Made, leaf: Leaf, known: Known) -> _Found | None:
    """An identifier made up at the moment of the call."""
    if not isinstance(leaf.value, str) or len(leaf.value) > 512:
        return None
    for text, what in _made_up(leaf.value):
        if known.says(text):
            continue
        if _IDEMPOTENT & set(words(leaf.key)):
            told = f"{what} as the key that should be the same when the call is repeated"
            return "random", "critical", told
        severity: Severity = "high" if made.effects & EFFECTS else "medium"
        return "random", severity, f"{what}, which nothing before says"
    return None


def _made_up(text: str) -> Iterator[tuple[str, str]]:
    for found in _UUID.finditer(text):
        if found.group(1) in _MADE_UP:
            yield found.group(), f"a UUID of version {found.group(1)}"
    for found in _BARE_UUID.finditer(text):
        yield found.group(), "a UUID"
    for found in _ULID.finditer(text):
        yield found.group(), "a ULID"
    for found in _TOKEN.finditer(text):
        token = found.group()
        if len(token) not in _DIGESTS and _UUID.search(token) is None and _is_random(token):
            yield token, "a random token"


def _is_random(token: str) -> bool:
    """Letters and digits mixed as no name mixes them; digests are made from what they are of."""
    mixes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(token))
    if sum(map(str.isdigit, token)) < 4 or mixes < 6 or "--" in token:
        return False
    parts = re.split(r"[_-]", token)
    longest = max(parts, key=len)
    if len(longest) < 16:
        return False
    counts = [longest.count(each) / len(longest) for each in set(longest)]
    return -sum(share * log2(share) for share in counts) > 3.4


def _rounding(leaf: Leaf, known: Known) -> _Found | None:
    """A number that is a hair away from a short one: arithmetic on binary fractions."""
    value = leaf.value
    if not isinstance(value, float) or not isfinite(value) or not value:
        return None
    written = repr(value)
    digits = len(Decimal(written).as_tuple().digits)
    if digits < 15 or known.says(written):
        return None
    short = float(f"{value:.10g}")
    if short == value or abs(short - value) > 1e-9 * abs(value):
        return None
    told = f"{written} where {short:.10g} was worked out with binary fractions"
    return "floating_point", "medium", told


class Repeats:
    """What calls of one run say about each other: order, effects done twice, a world that moved."""

    def __init__(self) -> None:
        self._lists: dict[tuple[str, str, tuple[str, ...]], tuple[str, ...]] = {}
        self._ran: dict[tuple[str, str], int] = {}
        self._outputs: dict[tuple[str, str], Any] = {}

    def ordering(self, made: Made) -> Iterator[Issue]:
        """The same items at the same place of the same tool, in another order than before."""
        for pointer, items in _lists(made.arguments, ""):
            spelled = tuple(map(repr, items))
            key = (made.tool, pointer, tuple(sorted(spelled)))
            before = self._lists.setdefault(key, spelled)
            if before != spelled:
                told = "the same items as in an earlier call, in another order"
                yield Issue("ordering", "medium", made.seq, made.tool, pointer, items, told)

    def effect(self, made: Made, digest: str) -> Iterator[Issue]:
        """An effect that happened before already, and nothing that makes it count once."""
        key = (made.tool, digest)
        times = self._ran[key] = self._ran.get(key, 0) + 1
        keyed = any(_IDEMPOTENT & set(words(leaf.key)) for leaf in flatten(made.arguments))
        if times == 2 and made.effects & EFFECTS and not keyed:
            told = "the same effect for the second time, without an idempotency key"
            severity: Severity = "critical" if "payment" in made.effects else "high"
            yield Issue("external_state", severity, made.seq, made.tool, "", None, told)

    def output(self, made: Made, digest: str, output: Any) -> Iterator[Issue]:
        """The same call gave something else: what is out there moved in between."""
        key = (made.tool, digest)
        if key not in self._outputs:
            self._outputs[key] = output
            return
        before = self._outputs[key]
        if before != output and not made.effects & EFFECTS:
            self._outputs[key] = output
            told = "the same call gave something else earlier in this run"
            yield Issue("external_state", "low", made.seq, made.tool, "", output, told)


def _lists(value: Any, pointer: str, depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(value, Mapping) and depth < 6:
        for name, each in list(value.items())[:128]:
            step = str(name).replace("~", "~0").replace("/", "~1")
            yield from _lists(each, f"{pointer}/{step}", depth + 1)
    elif isinstance(value, list) and 1 < len(value) <= 256 and _scalar(value):
        yield pointer, value


def _scalar(values: list[Any]) -> bool:
    return all(isinstance(each, str | int | float) for each in values)
