"""Clock, chance and UUIDs held still, so that the same code makes the same calls.

What is replaced, in the modules themselves and in every module of the agent's own that imported the
name (libraries and the standard library keep theirs):

    clock   time.time, time.time_ns, datetime.datetime.now/utcnow/today, datetime.date.today
    seed    random's own generator is seeded; uuid.uuid4 and uuid.uuid1 are drawn from the seed

The clock stands still between calls and goes, with each call that is served, to where the recorded
call ended. Not held: time.monotonic and perf_counter, `secrets`, os.urandom, generators of the
agent's own and numpy's. All is put back at the end; the state of `random` too.
"""

from __future__ import annotations

import datetime as datetimes
import random
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

NS = 1_000_000_000
_datetime, _date = datetimes.datetime, datetimes.date
_LIBRARIES = tuple(
    path
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_path(name))
)


class Clock:
    """A time that goes on by the record. `started_at` is when the recorded run began; `begin` is
    what the clock shows then, the same where it is None."""

    def __init__(self, started_at: str, begin: datetimes.datetime | int | None) -> None:
        recorded = _ns(_datetime.fromisoformat(started_at))
        first = recorded if begin is None else begin if isinstance(begin, int) else _ns(begin)
        self._shift = first - recorded
        self._now = first
        self._turn = threading.Lock()

    def time_ns(self) -> int:
        """Nanoseconds since 1970."""
        return self._now

    def reach(self, moment: str | None) -> None:
        """Go to a recorded moment, and never back."""
        if moment is not None:
            with self._turn:
                self._now = max(self._now, _ns(_datetime.fromisoformat(moment)) + self._shift)


class Pinning:
    """Holds still what it is given; `release` puts everything back."""

    def __init__(self, clock: Clock | None, seed: int | None) -> None:
        self._clock, self._seed = clock, seed
        # What stands in for what. Held, so that no other object gets the id of one.
        self._others: dict[int, tuple[Any, Any]] = {}
        self._chance: Any = None

    @property
    def told(self) -> tuple[str, ...]:
        """What is held still, in words."""
        clock = ("clock",) if self._clock else ()
        return clock + ((f"seed {self._seed}",) if self._seed is not None else ())

    def hold(self) -> None:
        """Begin."""
        if self._clock is not None:
            self._replace(_of_clock(self._clock))
        if self._seed is not None:
            self._chance = random.getstate()
            random.seed(self._seed)
            self._replace(_of_chance(self._seed))

    def release(self) -> None:
        """Put everything back."""
        back = {id(other): former for former, other in self._others.values()}
        # In all modules: what was imported meanwhile, libraries too, took the others' names.
        for module in list(sys.modules.values()):
            _exchange(module, back)
        self._others.clear()
        if self._chance is not None:
            random.setstate(self._chance)
            self._chance = None

    def _replace(self, others: dict[Any, Any]) -> None:
        """By what they are, not by their names: `from time import time as now` is found too."""
        mine = {id(former): (former, other) for former, other in others.items()}
        self._others |= mine
        for module in _homes():
            _exchange(module, {key: other for key, (_, other) in mine.items()})


def _exchange(module: Any, by_id: dict[int, Any]) -> None:
    try:
        held = list(vars(module).items())
    except TypeError:
        return
    for name, value in held:
        if id(value) in by_id:
            setattr(module, name, by_id[id(value)])


def _homes() -> Iterator[Any]:
    yield from (time, datetimes, uuid)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "checkrein" or module in (time, datetimes, uuid):
            continue
        if name == "__main__" or not _of_a_library(module):
            yield module


def _of_a_library(module: Any) -> bool:
    """Whether a module is not the agent's own: built in, or where libraries are installed."""
    file = getattr(module, "__file__", None)
    return not isinstance(file, str) or file.startswith(_LIBRARIES)


def _of_clock(clock: Clock) -> dict[Any, Any]:
    class _Date(type):
        """Instances of the true classes are instances of these."""

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, _datetime if issubclass(cls, _datetime) else _date)

        def __subclasscheck__(cls, other: type) -> bool:
            return type.__subclasscheck__(cls, other) or other is cls.__base__

    class datetime(datetimes.datetime, metaclass=_Date):  # noqa: N801 - it stands for that one
        @classmethod
        def now(cls, tz: datetimes.tzinfo | None = None) -> Any:
            return _moment(clock, tz)

        @classmethod
        def utcnow(cls) -> Any:
            return _moment(clock, datetimes.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return _moment(clock, None)

    class date(datetimes.date, metaclass=_Date):  # noqa: N801 - it stands for that one
        @classmethod
        def today(cls) -> Any:
            return _moment(clock, None).date()

    return {
        time.time: lambda: clock.time_ns() / NS,
        time.time_ns: clock.time_ns,
        _datetime: datetime,
        _date: date,
    }


def _of_chance(seed: int) -> dict[Any, Any]:
    drawn = random.Random(seed)  # noqa: S311 - it is to be foreseen

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=drawn.getrandbits(128), version=4)

    def uuid1(*_: Any, **__: Any) -> uuid.UUID:
        return uuid.UUID(int=drawn.getrandbits(128), version=1)

    return {uuid.uuid4: uuid4, uuid.uuid1: uuid1}


def _moment(clock: Clock, tz: datetimes.tzinfo | None) -> datetimes.datetime:
    seconds, rest = divmod(clock.time_ns(), NS)
    return _datetime.fromtimestamp(seconds, tz).replace(microsecond=rest // 1000)


def _ns(moment: datetimes.datetime) -> int:
    known = moment if moment.tzinfo else moment.replace(tzinfo=datetimes.UTC)
    return int(known.timestamp()) * NS + known.microsecond * 1000
