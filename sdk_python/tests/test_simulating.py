"""Simulations: the agent's own code against what a real gateway recorded of it."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import checkrein
import pytest
from checkrein import guard, run
from checkrein.simulating import CallLeft, NotReplayable, RecordedError, recorded_model_answer
from checkrein.simulating.recording import decision_for


@pytest.fixture
def recording(gateway: dict[str, str]) -> Iterator[None]:
    """The SDK of this process on a real gateway."""
    checkrein.init(
        url=gateway["CHECKREIN_URL"],
        api_key=gateway["CHECKREIN_API_KEY"],
        environment="production",
        deadline=20,
    )
    yield
    checkrein.flush(5.0)


def read(name: str) -> Any:
    return guard(name, side_effects=["read"])


class World:
    """Tools that count how often their bodies ran; what they return is never the same twice."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    @read("world.count")
    def count(self, of: str) -> int:
        self.ran.append(of)
        return len(self.ran)

    @read("world.fails")
    def fails(self, how: str) -> str:
        self.ran.append(how)
        raise ValueError(f"no {how}")

    @read("world.items")
    def items(self, n: int) -> Iterator[int]:
        self.ran.append("items")
        yield from range(n)

    @read("world.items_async")
    async def items_async(self, n: int) -> AsyncIterator[int]:
        self.ran.append("items_async")
        for one in range(n):
            yield one

    @read("world.later")
    async def later(self, name: str, seconds: float) -> str:
        self.ran.append(name)
        await asyncio.sleep(seconds)
        return f"{name} of {len(self.ran)}"


def recorded(agent: Any, *args: Any) -> tuple[str, Any]:
    """A run of this agent, and what it gave."""
    with run("recorded") as r:
        given = agent(*args)
    assert checkrein.flush(10.0)
    return r.id, given


def kinds(report: Any) -> list[str]:
    return [one.kind for one in report.divergences]


def counts(world: World, *names: str) -> list[int]:
    return [world.count(name) for name in names]


def test_no_tool_runs_and_every_output_is_the_recorded_one(recording):
    """S1-5, S3-18, S3-20: the same code, zero cost, the recorded outcomes."""
    world = World()
    run_id, given = recorded(counts, world, "a", "b", "a")

    with checkrein.simulate(run_id) as simulation, run("again"):
        again = counts(world, "a", "b", "a")

    assert again == given == [1, 2, 3]
    assert world.ran == ["a", "b", "a"]
    assert simulation.report.match_rate == 1.0
    assert simulation.report.ok


def test_nothing_is_sent_in_a_simulation_and_all_is_afterwards(recording):
    world = World()
    run_id, _ = recorded(counts, world, "a")
    before = checkrein.stats()

    with checkrein.simulate(run_id), run("again"):
        counts(world, "a")
        checkrein.record_message("user", "nobody hears this")
        inside = checkrein.stats()

    assert inside["queued"] == 0
    assert checkrein.stats() == before
    assert world.count("after") == 2


def test_what_tools_raised_is_raised_again_by_its_type(recording):
    def agent(world: World) -> Any:
        try:
            return world.fails("luck")
        except ValueError as error:
            return str(error)

    world = World()
    run_id, given = recorded(agent, world)

    with checkrein.simulate(run_id) as simulation, run():
        assert agent(world) == given == "no luck"
        with pytest.raises(NotReplayable):
            world.fails("luck")
    with checkrein.simulate(run_id), run(), pytest.raises(RecordedError) as raised:
        world.fails("luck")

    assert raised.value.type == "ValueError"
    assert kinds(simulation.report) == ["extra"]
    assert world.ran == ["luck"]


def test_generators_give_the_items_that_they_gave(recording):
    async def later(world: World) -> list[int]:
        return [one async for one in world.items_async(2)]

    def agent(world: World) -> list[int]:
        return [*world.items(3), *asyncio.run(later(world))]

    world = World()
    run_id, given = recorded(agent, world)

    with checkrein.simulate(run_id) as simulation, run():
        assert agent(world) == given == [0, 1, 2, 0, 1]
    assert simulation.report.ok
    assert world.ran == ["items", "items_async"]


DIVERGED: list[tuple[str, list[str], list[str], int]] = [
    ("input", ["a", "b", "c"], ["a", "x", "c"], 2),
    ("missing", ["a", "b", "c"], ["a", "c"], 2),
    ("extra", ["a", "b"], ["a", "b", "x"], 3),
    ("order", ["a", "b", "c"], ["c", "a", "b"], 1),
]


@pytest.mark.parametrize(("kind", "before", "now", "row"), DIVERGED)
def test_a_divergence_has_its_kind_and_its_place(recording, kind, before, now, row):
    """S3-19, S3-22: what is otherwise, and the first one marked."""
    world = World()
    run_id, _ = recorded(counts, world, *before)

    with checkrein.simulate(run_id) as simulation, run():
        for name in now:
            try:
                world.count(name)
            except NotReplayable:
                assert kind == "extra"

    report = simulation.report
    assert kinds(report) == [kind]
    assert report.first is not None
    assert report.first.row == row
    assert report.matched == report.compared - 1


def test_another_tool_in_the_place_of_a_call_is_another_name(recording):
    def agent(world: World) -> None:
        world.count("a")
        world.count("b")

    world = World()
    run_id, _ = recorded(agent, world)

    with checkrein.simulate(run_id) as simulation, run():
        world.count("a")
        with pytest.raises(NotReplayable, match=r"world\.fails"):
            world.fails("b")

    (one,) = simulation.report.divergences
    assert one.kind == "name"
    assert one.told.startswith("world.fails was called where world.count was recorded at ")


def test_the_difference_in_arguments_is_pointed_at(recording):
    world = World()
    run_id, _ = recorded(counts, world, "a")

    with checkrein.simulate(run_id) as simulation, run():
        # The outcome of the call that it stands for is what there is.
        assert world.count("x") == 1

    (row,) = simulation.report.rows
    (different,) = row.differences
    assert (different.pointer, different.recorded, different.simulated) == ("/of", "a", "x")
    assert '"a" -> "x"' in simulation.report.table()


def test_what_overlapped_has_no_order_and_arrives_as_it_was_recorded(recording):
    """S0-14: concurrent results in recorded completion order, whoever starts first."""

    async def agent(world: World, delays: dict[str, float], started: list[str]) -> list[str]:
        done: list[str] = []

        async def one(name: str) -> None:
            await world.later(name, delays[name])
            done.append(name)

        await asyncio.gather(*(one(name) for name in started))
        return done

    world = World()
    delays = {"slow": 0.3, "quick": 0.05, "middle": 0.15}
    order = ["slow", "quick", "middle"]
    run_id, given = recorded(lambda: asyncio.run(agent(world, delays, order)))
    assert given == ["quick", "middle", "slow"]

    with checkrein.simulate(run_id, patience=10) as simulation, run():
        again = asyncio.run(agent(world, delays, order))
        assert again == given
    assert simulation.report.ok
    with checkrein.simulate(run_id, patience=10) as simulation, run():
        again = asyncio.run(agent(world, delays, ["middle", "quick", "slow"]))
        assert again == given
    assert simulation.report.ok
    assert len(world.ran) == 3


def test_threads_are_served_too(recording):
    world = World()
    run_id, _ = recorded(counts, world, "a", "b")
    heard: dict[str, int] = {}

    with checkrein.simulate(run_id) as simulation, run() as r:

        def work(name: str) -> None:
            with r.use():
                heard[name] = world.count(name)

        for name in ("a", "b"):
            thread = threading.Thread(target=work, args=(name,))
            thread.start()
            thread.join(10)

    assert heard == {"a": 1, "b": 2}
    assert simulation.report.ok


def test_turns_are_told_apart_by_their_number(recording):
    """The logical task: the same call in two turns has the outcome of its own turn."""
    world = World()
    with run() as r:
        for _ in range(2):
            with r.turn():
                world.count("same")
    assert checkrein.flush(10.0)

    with checkrein.simulate(r.id) as simulation, run() as again:
        with again.turn():
            first = world.count("same")
        with again.turn():
            second = world.count("same")

    assert (first, second) == (1, 2)
    assert simulation.report.ok


def test_a_socket_is_refused_and_told(recording):
    """No call leaves: a connection is an error, also one that was there before."""
    world = World()
    run_id, _ = recorded(counts, world, "a")
    before = socket.socket.__dict__.get("connect"), socket.getaddrinfo
    with socket.socket() as listening, socket.socket() as open_before:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = listening.getsockname()
        open_before.connect(address)

        with checkrein.simulate(run_id) as simulation, run():
            counts(world, "a")
            with socket.socket() as tried, pytest.raises(CallLeft, match=str(address[1])):
                tried.connect(address)
            with pytest.raises(CallLeft):
                open_before.sendall(b"x")
            with pytest.raises(CallLeft):
                socket.create_connection(("example.invalid", 80))

        open_before.sendall(b"x")
    assert (socket.socket.__dict__.get("connect"), socket.getaddrinfo) == before
    assert simulation.report.refused == (f"127.0.0.1:{address[1]}", "example.invalid")
    assert simulation.report.match_rate == 1.0
    assert not simulation.report.ok


def test_everything_is_put_back_when_the_agent_fails(recording):
    world = World()
    run_id, _ = recorded(counts, world, "a")
    clock, lookup = time.time, socket.getaddrinfo

    def agent() -> None:
        with simulation, run():
            world.count("a")
            raise ZeroDivisionError

    simulation = checkrein.simulate(run_id, clock="recorded", seed=1)
    with pytest.raises(ZeroDivisionError):
        agent()

    assert (time.time, socket.getaddrinfo) == (clock, lookup)
    assert "connect" not in vars(socket.socket)
    assert simulation.report.ok
    assert world.count("real") == 2


def test_there_is_one_simulation_at_a_time(recording):
    run_id, _ = recorded(counts, World(), "a")

    with (
        checkrein.simulate(run_id),
        pytest.raises(RuntimeError, match="one at a time"),
        checkrein.simulate(run_id),
    ):
        pass


def test_an_unknown_run_says_so(recording):
    with pytest.raises(checkrein.CheckreinError, match="404"), checkrein.simulate("no-such-run"):
        pass


def test_async_with(recording):
    world = World()
    run_id, given = recorded(counts, world, "a")

    async def agent() -> list[int]:
        async with checkrein.simulate(run_id) as simulation, run():
            again = counts(world, "a")
        assert simulation.report.ok
        return again

    assert asyncio.run(agent()) == given


def test_a_report_is_typed_json_and_a_table(recording):
    """S3-21, S3-23: rows with match or diverged, costs as integers."""

    @guard("ads.quote", side_effects=["read"], cost=lambda _: (250, "usd"))
    def quote(n: int) -> int:
        return n

    run_id, _ = recorded(lambda: [quote(1), quote(2)])

    with checkrein.simulate(run_id) as simulation, run():
        quote(1)
        quote(3)

    report = simulation.report
    told = json.loads(report.to_json())
    assert told["original_cost"] == told["savings"] == {"USD": 500}
    assert told["replay_cost"] == {}
    assert told["match_rate"] == 0.5
    assert [row["result"] for row in told["rows"]] == ["match", "diverged"]
    assert "1 of 2 match (50.0%)" in report.table()
    assert "saved 500 USD" in report.table()


def test_masked_values_of_another_run_are_the_same_values(recording):
    """Each run masks with its own key: tokens differ, and what they stand for does not."""

    @read("people.find")
    def find(address: str, card: str) -> dict[str, str]:
        return {"address": address, "other": "eve@example.com"}

    @read("people.look")
    def look(address: str) -> str:
        return "seen"

    def agent(address: str = "ada@example.com") -> None:
        found = find(address, "4242424242424242")
        look(address)
        look(found["other"])

    run_id, _ = recorded(agent)

    with checkrein.simulate(run_id) as simulation, run():
        agent()
    assert simulation.report.ok
    with checkrein.simulate(run_id) as simulation, run():
        agent("bob@another.example")
    assert kinds(simulation.report)[0] == "input"


def test_a_changed_call_has_the_recorded_decision_and_says_so(recording):
    """Nobody judged the changed call: what the agent reads is not passed off as its judgement."""
    world = World()
    run_id, _ = recorded(counts, world, "a", "b")

    with checkrein.simulate(run_id) as simulation, run() as again:
        counts(world, "a", "x")

    same, changed = again.decisions
    assert (same.of_recorded_call, changed.of_recorded_call) == (False, True)
    assert changed.assessment is None
    assert changed.decision_id
    (reason,) = simulation.report.watched[0].reasons
    assert "nobody judged them" in reason

    told = {"decision_id": "d", "enforced": "warn", "reasons": [{"rule": "r", "reason": "Big."}]}
    assert decision_for(told, changed=False).reasons[0].reason == "Big."
    assert decision_for(told, changed=True).reasons[0].reason == (
        "Said of the recorded call, which had other arguments; this one was not judged: Big."
    )


def test_a_match_says_what_was_not_observed(recording):
    """N10: stubbed is what the record answered; what nobody watched then cannot match now."""
    world = World()
    run_id, _ = recorded(counts, world, "a", "b")

    with checkrein.simulate(run_id, seed=1) as simulation, run():
        counts(world, "a", "b")
        with pytest.raises(NotReplayable):
            world.count("c")

    report = simulation.report
    watched = {one.boundary: one for one in report.watched}
    tool = watched["tool"]
    assert (tool.recorded, tool.stubbed, tool.unobserved, tool.state) == (0, 2, 1, "partial")
    assert (watched["model"].state, watched["network"].denied) == ("unused", 0)
    assert (watched["clock"].state, watched["random"].state) == ("unobserved", "complete")
    assert report.captured is not None
    assert report.says == (
        "2 of 3 calls are as recorded (2 answered from the record, 0 run here); of the recorded "
        "run, what models answered, what the network answered, the agent's own clock and what its "
        "code drew at random were not observed."
    )
    assert report.says in report.table()
    assert json.loads(report.to_json())["says"] == report.says


def test_live_tools_run_and_their_outputs_are_compared(recording):
    ran: list[int] = []
    factor = 2
    other = World()

    @read("math.scale")
    def scale(n: int) -> dict[str, int]:
        ran.append(n)
        return {"n": n * factor}

    run_id, _ = recorded(lambda: [scale(1), scale(2), other.count("a")])

    with checkrein.simulate(run_id, live=["math.scale"]) as simulation, run():
        scale(1)
        factor = 3
        assert scale(2) == {"n": 6}
        other.count("a")

    assert ran == [1, 2, 1, 2]
    tool = simulation.report.watched[0]
    assert (tool.boundary, tool.recorded, tool.stubbed, tool.state) == ("tool", 2, 1, "complete")
    assert kinds(simulation.report) == ["output"]
    (different,) = simulation.report.rows[1].differences
    assert (different.pointer, different.recorded, different.simulated) == ("/n", 4, 6)


@dataclasses.dataclass
class Order:
    id: str
    total: int


def test_outputs_come_back_as_what_the_tool_returns(recording):
    @read("orders.get")
    def get(id: str) -> Order:
        return Order(id, 4500)

    run_id, given = recorded(get, "9281")

    with checkrein.simulate(run_id) as simulation, run():
        assert get("9281") == given == Order("9281", 4500)
    assert simulation.report.ok


def test_what_was_stopped_is_stopped_again_with_the_same_words(recording):
    @guard("mail.send", side_effects=["message"])
    def send(to: list[str]) -> str:
        raise AssertionError("must not run")

    def agent() -> list[str]:
        heard = []
        for to in (["someone"], ["7"]):
            try:
                send(to)
            except checkrein.CheckreinError as stopped:
                heard.append(f"{type(stopped).__name__}: {stopped}")
        return heard

    with run("recorded") as before:
        given = agent()
    assert checkrein.flush(10.0)

    with checkrein.simulate(before.id) as simulation, run() as again:
        assert agent() == given
    assert [one.decision_id for one in again.decisions] == [
        one.decision_id for one in before.decisions
    ]
    assert [one.reasons for one in again.decisions] == [one.reasons for one in before.decisions]
    assert {heard.partition(":")[0] for heard in given} <= {"ApprovalRequired", "Blocked"}
    assert simulation.report.ok


def test_an_approval_that_nobody_answered_is_not_waited_for(recording):
    @guard("mail.send", side_effects=["message"])
    def send(to: str) -> str:
        raise AssertionError("must not run")

    def agent() -> None:
        with pytest.raises(checkrein.ApprovalRequired) as asked:
            send("someone")
        pending.append(asked.value)

    pending: list[checkrein.ApprovalRequired] = []
    run_id, _ = recorded(agent)

    with checkrein.simulate(run_id), run():
        agent()
        with pytest.raises(NotReplayable, match="Nobody had answered"):
            pending[-1].wait(600)
    assert pending[0].approval_id == pending[1].approval_id


def test_a_stopped_call_with_other_arguments_is_not_said_to_be_stopped(recording):
    """Testing a fix: what the policy says of the changed call is not in the record."""

    @guard("mail.send", side_effects=["message"])
    def send(to: str) -> str:
        raise AssertionError("must not run")

    def agent(to: str) -> None:
        with pytest.raises(checkrein.CheckreinError):
            send(to)

    run_id, _ = recorded(agent, "someone")

    told = "what would become of this call"
    with checkrein.simulate(run_id) as simulation, run(), pytest.raises(NotReplayable, match=told):
        send("ada@example.com")
    assert kinds(simulation.report) == ["input"]


def test_a_model_call_that_is_told_is_compared(recording):
    def agent(question: str, answer: str) -> None:
        checkrein.record_model_call(
            provider="anthropic",
            model="claude",
            messages=[{"role": "user", "content": question}],
            answer=answer,
            input_tokens=10,
            output_tokens=2,
        )

    run_id, _ = recorded(agent, "Refund?", "Yes.")

    found = {}
    for told in (("Refund?", "Yes."), ("Refund?", "No."), ("Charge?", "Yes.")):
        with checkrein.simulate(run_id) as simulation, run():
            agent(*told)
        found[told] = kinds(simulation.report)

    assert [*found.values()] == [[], ["output"], ["input"]]
    assert simulation.report.original_tokens == 12


def test_a_wrapped_client_is_answered_from_the_record(recording):
    """S0-12: the model is not asked; what it answered is."""
    request: dict[str, Any] = {
        "provider": "p",
        "model": "m",
        "messages": [{"role": "user", "content": "Refund?"}],
    }

    def agent(answered: Any) -> Any:
        answer = answered(request)
        checkrein.record_model_call(**request, answer=answer)
        return answer

    def served(asked: dict[str, Any]) -> Any:
        answer = recorded_model_answer(asked)
        return answer and answer.answer

    run_id, _ = recorded(agent, lambda _: {"text": "Yes."})
    assert recorded_model_answer(request) is None

    with checkrein.simulate(run_id) as simulation, run():
        assert agent(served) == {"text": "Yes."}
        with pytest.raises(NotReplayable, match="No model call is left"):
            recorded_model_answer(request)

    assert kinds(simulation.report) == ["extra"]
    assert simulation.report.matched == 1


def test_init_in_the_simulated_code_opens_no_way_out(recording, closed_port):
    world = World()
    run_id, given = recorded(counts, world, "a")

    with checkrein.simulate(run_id) as simulation:
        checkrein.init(url=f"http://127.0.0.1:{closed_port}", environment="production")
        with run():
            assert counts(world, "a") == given
    assert simulation.report.ok
    assert world.count("real") == 2


def test_outputs_that_only_a_digest_is_kept_of_are_not_replayable(recording):
    @guard("secrets.get", side_effects=["read"], capture="digest")
    def get(name: str) -> str:
        return "s3cret"

    run_id, _ = recorded(get, "x")

    told = "digest alone"
    with checkrein.simulate(run_id) as simulation, run(), pytest.raises(NotReplayable, match=told):
        get("x")

    (row,) = simulation.report.rows
    assert (row.result, row.not_replayable) == ("not replayable", "digest alone")
    assert not simulation.report.ok


def test_the_readme_simulates(recording):
    world = World()
    readme = Path(__file__).parents[1] / "README.md"
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    [example] = [one for one in blocks if "checkrein.simulate(" in one]
    with run("recorded", id=f"readme-{time.time_ns()}") as r:
        counts(world, "a")
    assert checkrein.flush(10.0)

    def support_agent() -> None:
        with run():
            counts(world, "a")

    given: dict[str, Any] = {"checkrein": checkrein, "support_agent": support_agent}
    exec(example.replace("order-9281", r.id), given)

    assert given["simulation"].report.match_rate == 1.0
    assert world.ran == ["a"]


def test_runs_below_a_run_are_simulated_with_it(recording):
    """The logical task: the same call in two agents has the outcome of its own agent."""

    async def agent(world: World, order: list[str]) -> dict[str, int]:
        given: dict[str, int] = {}

        async def helper(name: str) -> None:
            await asyncio.sleep(0.02 * (order.index(name) + 1))
            async with run(name):
                given[name] = world.count("same")

        await asyncio.gather(*(helper(name) for name in ("one", "two")))
        given["own"] = world.count("own")
        return given

    world = World()
    run_id, given = recorded(lambda: asyncio.run(agent(world, ["one", "two"])))
    assert given == {"one": 1, "two": 2, "own": 3}

    with checkrein.simulate(run_id) as simulation, run():
        assert asyncio.run(agent(world, ["two", "one"])) == given
    assert {one.kind for one in simulation.report.divergences} <= {"order"}
    assert len(world.ran) == 3


def test_what_the_bodies_of_tools_called_is_not_missed(recording):
    """Bodies do not run, so what they call is nobody's to make; a live body makes it again."""
    world = World()

    @read("agents.research")
    def research(of: str) -> int:
        checkrein.record_model_call(model="m", messages=[{"role": "user", "content": of}])
        return int(world.count(of))

    @read("agents.research_async")
    async def research_async(of: str) -> int:
        return int(await asyncio.to_thread(world.count, of))

    def agent() -> list[int]:
        return [research("same"), world.count("same"), asyncio.run(research_async("x"))]

    run_id, given = recorded(agent)
    assert given == [1, 2, 3]

    with checkrein.simulate(run_id, patience=60) as simulation, run():
        assert agent() == given
    assert (simulation.report.ok, simulation.report.compared) == (True, 3)
    live = ["agents.research", "agents.research_async"]
    with checkrein.simulate(run_id, live=live) as simulation, run():
        assert agent() == given
    assert (simulation.report.ok, simulation.report.compared) == (True, 6)
    assert len(world.ran) == 3


def test_a_run_around_a_simulation_loses_nothing(recording):
    world = World()
    run_id, _ = recorded(counts, world, "a")

    with run("around") as around:
        checkrein.record_message("user", "before")
        with checkrein.simulate(run_id):
            counts(world, "a")
            left = contextvars.copy_context().run(run("left open").__enter__)
            assert checkrein.flush(1.0)
        queued = checkrein.stats()["queued"]
        left.push()
        assert checkrein.stats()["queued"] == queued
        world.count("real")
    assert checkrein.flush(10.0)

    with checkrein.simulate(around.id) as simulation:
        pass
    (call,) = simulation.recording.calls
    assert call.arguments == {"of": "real"}


def test_a_model_asked_the_same_in_two_turns_answers_as_it_did_in_each(recording):
    request: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Next?"}]}

    with run() as r:
        for answer in ("one", "two"):
            with r.turn():
                checkrein.record_model_call(**request, answer=answer)
    assert checkrein.flush(10.0)

    heard = []
    with checkrein.simulate(r.id) as simulation, run() as again:
        for _ in range(2):
            with again.turn():
                served = recorded_model_answer(request)
                heard.append(served and served.answer)
    assert heard == ["one", "two"]
    assert simulation.report.ok
