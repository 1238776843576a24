"""Recorded outputs come back as what the tool returned, or the call says that it is not replayable.

The annotations are evaluated here, as they are in most programs; one test has them as text.
"""

import collections
import dataclasses
import datetime
import decimal
import enum
import random
import time
import typing
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import checkrein
import msgspec
import pytest
from checkrein import guard, run
from checkrein.simulating import NotReplayable, RecordedError, register_codec, save


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Line:
    sku: str
    count: int = 1


@dataclasses.dataclass
class Order:
    id: str
    lines: list[Line]


class Ticket(msgspec.Struct):
    id: int
    tags: set[str] = msgspec.field(default_factory=set)


class Point(NamedTuple):
    x: int
    y: float


class Customer(TypedDict):
    name: str


class Model:
    """As pydantic's models are seen from outside."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.name == other.name

    __hash__ = None  # type: ignore[assignment]

    def model_dump(self, mode: str) -> dict[str, str]:
        assert mode == "json"
        return {"name": self.name}

    @classmethod
    def model_validate(cls, value: dict[str, str]) -> "Model":
        return cls(value["name"])


class Opaque:
    """Nothing in JSON says it."""


NOON = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
AS_THEY_WERE: list[tuple[Any, Any]] = [
    (str, "text"),
    (int, 7),
    (int, 2**63),
    (float, 0.5),
    (float, 1e300),
    (bool, True),
    (type(None), None),
    (None, None),
    (list[int], [1, 2]),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (dict[str, Any], {"a": [1, None]}),
    (bytes, b"\x00\xff"),
    (datetime.datetime, NOON),
    (datetime.date, NOON.date()),
    (decimal.Decimal, decimal.Decimal("1.10")),
    (uuid.UUID, uuid.UUID(int=7)),
    (Color, Color.RED),
    (Order, Order("9281", [Line("a"), Line("b", 2)])),
    (list[Order], [Order("9281", [])]),
    (Ticket, Ticket(1, {"x"})),
    (Point, Point(1, 0.5)),
    (Customer, {"name": "Ada"}),
    (Line | None, None),
    (Line | None, Line("a")),
    (typing.Optional[int], 3),  # noqa: UP045 - as older code has it
    (Model, Model("Ada")),
    (dict[str, Model], {"a": Model("Ada")}),
]


@pytest.fixture(scope="module", autouse=True)
def recording(gateway: dict[str, str]) -> Iterator[None]:
    url, key = gateway["CHECKREIN_URL"], gateway["CHECKREIN_API_KEY"]
    checkrein.init(url=url, api_key=key, environment="production", deadline=20)
    yield
    checkrein.flush(5.0)


def tool_that(output: Any, returns: Any = ..., name: str = "world.fetch") -> Any:
    def fetch() -> Any:
        return output

    fetch.__annotations__ = {} if returns is ... else {"return": returns}
    return guard(name, side_effects=["read"])(fetch)


def recorded(fetch: Any) -> str:
    with run("recorded") as r:
        fetch()
    assert checkrein.flush(10.0)
    return r.id


NOT_TOLD: list[tuple[Any, Any, str]] = [
    (int, "five", "int"),
    (Line, Order("9281", []), "Line"),
    (Line, {"sku": "a", "count": 1, "more": 2}, "Line"),
    (Any, Opaque(), "an object"),
    (Opaque, Opaque(), "Opaque"),
    (collections.Counter, {"a": "b"}, "Counter"),
]


ALL = [*AS_THEY_WERE, *((annotation, output) for annotation, output, _ in NOT_TOLD)]
TOOLS = [
    tool_that(output, annotation, f"world.fetch_{n}") for n, (annotation, output) in enumerate(ALL)
]


@pytest.fixture(scope="module")
def cassette(recording: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run in which every tool was called once."""
    run_id = recorded(lambda: [tool() for tool in TOOLS])
    path = tmp_path_factory.mktemp("outputs") / "all.json"
    save(run_id, path)
    return path


@pytest.mark.parametrize("n", range(len(AS_THEY_WERE)))
def test_an_annotated_output_comes_back_as_it_was(cassette, n):
    with checkrein.simulate(cassette) as simulation, run():
        again = TOOLS[n]()

    output = AS_THEY_WERE[n][1]
    assert again == output
    assert type(again) is type(output)
    [row] = [one for one in simulation.report.rows if one.made]
    assert (row.result, row.assumed) == ("match", False)


@pytest.mark.parametrize("n", range(len(NOT_TOLD)))
def test_what_the_annotation_does_not_tell_is_not_replayable(cassette, n):
    refused = pytest.raises(NotReplayable, match="output type")
    with checkrein.simulate(cassette) as simulation, run(), refused as raised:
        TOOLS[len(AS_THEY_WERE) + n]()

    assert NOT_TOLD[n][2] in str(raised.value)
    [row] = [one for one in simulation.report.rows if one.made]
    assert (row.result, row.not_replayable) == ("not replayable", "output type")
    assert simulation.report.matched == 0


def test_without_an_annotation_the_recorded_json_comes_and_it_is_said():
    fetch = tool_that({"a": 1})
    run_id = recorded(fetch)

    with checkrein.simulate(run_id) as simulation, run():
        assert fetch() == {"a": 1}
    assert simulation.report.rows[0].assumed


def test_annotations_as_text_are_looked_up_where_they_were_written():
    class Local(msgspec.Struct):
        n: int

    @guard("world.local", side_effects=["read"])
    def local() -> "Local":
        return Local(1)

    @guard("world.nowhere", side_effects=["read"])
    def nowhere() -> "Nowhere":  # type: ignore[name-defined]  # noqa: F821
        return 1

    run_id = recorded(lambda: (local(), nowhere()))

    with checkrein.simulate(run_id), run():
        assert local() == Local(1)
        with pytest.raises(NotReplayable, match="cannot be looked up"):
            nowhere()


def test_codecs_of_a_tool_and_of_a_type():
    class Money:
        def __init__(self, text: str) -> None:
            self.text = text

        def __index__(self) -> int:
            return int(self.text)

    fetch = tool_that(Money("450"), Money)
    run_id = recorded(fetch)

    given: list[dict[str | type, Any]] = [
        {"world.fetch": lambda n: Money(str(n))},
        {Money: lambda n: Money(str(n))},
    ]
    for codecs in given:
        with checkrein.simulate(run_id, codecs=codecs) as simulation, run():
            assert fetch().text == "450"
        assert simulation.report.ok
    register_codec(Money, lambda n: Money(f"{n}0"))
    with checkrein.simulate(run_id, codecs={"world.fetch": lambda n: n}), run():
        assert fetch() == 450


def test_an_error_of_a_builtin_class_is_of_that_class_too():
    class Mine(Exception):
        pass

    for error in (
        KeyError("k"),
        TimeoutError("t"),
        UnicodeDecodeError("u", b"", 0, 1, "r"),
        Mine(),
    ):

        @guard("world.raises", side_effects=["read"])
        def raises(error: str = type(error).__name__, it: Any = error) -> None:
            raise it

        with run() as r, pytest.raises(type(error)):
            raises()
        assert checkrein.flush(10.0)

        kind = RecordedError if isinstance(error, Mine) else type(error)
        with checkrein.simulate(r.id) as simulation, run(), pytest.raises(kind) as raised:
            raises()
        assert isinstance(raised.value, RecordedError)
        assert raised.value.type == type(error).__name__
        assert str(raised.value) == str(error)
        assert simulation.report.ok


def test_the_clock_goes_by_the_record_and_chance_by_the_seed():
    from time import time_ns as earlier

    fetch = tool_that(1, int)

    def twice() -> None:
        fetch()
        time.sleep(0.2)
        fetch()

    run_id = recorded(twice)
    state = random.getstate()

    def look() -> tuple[Any, ...]:
        now = datetime.datetime.now(datetime.UTC)
        assert isinstance(now, datetime.datetime)
        assert isinstance(NOON, datetime.datetime)
        assert datetime.date.today() == now.astimezone().date()  # noqa: DTZ011 - it is held too
        return time.time_ns(), time.time(), now, random.random(), uuid.uuid4()

    seen = []
    for _ in range(2):
        with checkrein.simulate(run_id, clock="recorded", seed=7) as simulation, run():
            seen.append([look(), fetch(), look(), fetch(), look()])
        assert simulation.report.pinned == ("clock", "seed 7")

    assert seen[0] == seen[1]
    first, _, second, _, third = seen[0]
    assert first[0] <= second[0]
    assert third[0] - second[0] > 150_000_000
    assert third[1] == pytest.approx(third[0] / 1e9)
    assert abs(third[2].timestamp() - third[1]) < 0.001
    assert len({first[3], second[3], third[3]}) == len({first[4], third[4]}) + 1 == 3
    assert random.getstate() == state
    assert earlier() > third[0]
    assert time.time_ns() - earlier() < 1_000_000_000
    assert type(datetime.datetime.now(datetime.UTC)) is datetime.datetime


def test_the_clock_can_begin_at_a_time():
    fetch = tool_that(1, int)
    run_id = recorded(fetch)

    for begin in (NOON, int(NOON.timestamp()) * 1_000_000_000):
        with checkrein.simulate(run_id, clock=begin), run():
            assert datetime.datetime.now(datetime.UTC) == NOON
            assert datetime.datetime.utcnow() == NOON.replace(tzinfo=None)  # noqa: DTZ003
            fetch()
            assert NOON.timestamp() < time.time() < NOON.timestamp() + 60


def test_a_moment_is_made_while_the_clock_is_held():
    fetch = tool_that(NOON, "datetime.datetime")
    run_id = recorded(fetch)

    with checkrein.simulate(run_id, clock="recorded"), run():
        assert fetch() == NOON
