"""D5: nowhere in the gateway waits anything in a queue that has no end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

GATEWAY = Path(__file__).parents[2] / "gateway"
BOUND_OF = {
    "Queue": "maxsize",
    "LifoQueue": "maxsize",
    "PriorityQueue": "maxsize",
    "deque": "maxlen",
}
# Queues that count for themselves what is in them, and refuse more: where, and by what.
COUNTED = {
    "assessing/assessor.py deque": "waiting_bytes",
    "children/process.py deque": "waiting_bytes",
    "engines/embedded/pool.py deque": "waiting_bytes",
    "storage/embedded/writer.py SimpleQueue": "queued_max",
    "storage/server/redis/lane.py deque": "WAITING_MAX",
    "storage/spool.py SimpleQueue": "queued_max",
}


def test_no_queue_is_without_a_bound():
    """D5: every queue has a size, or is one of those that are counted by name."""
    found = {
        f"{path.relative_to(GATEWAY)} {name}"
        for path in GATEWAY.rglob("*.py")
        for name in _unbounded(path.read_text("utf-8"))
    }

    assert found == set(COUNTED)
    for place, bound in COUNTED.items():
        folder = (GATEWAY / place.partition(" ")[0]).parent
        assert any(bound in path.read_text("utf-8") for path in folder.glob("*.py")), place


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("asyncio.Queue()", ["Queue"]),
        ("asyncio.Queue(maxsize=0)", ["Queue"]),
        ("queue.SimpleQueue[int]()", ["SimpleQueue"]),
        ("collections.deque(items)", ["deque"]),
        ("deque(items, maxlen=None)", ["deque"]),
        ("multiprocessing.SimpleQueue()", ["SimpleQueue"]),
        ("asyncio.Queue(8); queue.Queue(maxsize=limit); deque((), 5); deque(maxlen=8)", []),
    ],
)
def test_the_search_finds_what_it_should(source, names):
    """A lint that finds nothing must be able to."""
    assert list(_unbounded(source)) == names


def _unbounded(source: str) -> Iterator[str]:
    """The queues that a module makes without saying how long they may become."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        made = node.func.value if isinstance(node.func, ast.Subscript) else node.func
        name = getattr(made, "attr", getattr(made, "id", ""))
        if name == "SimpleQueue" or (name in BOUND_OF and not _is_bounded(node, name)):
            yield name


def _is_bounded(call: ast.Call, name: str) -> bool:
    given = [word.value for word in call.keywords if word.arg == BOUND_OF[name]]
    given += call.args[1:2] if name == "deque" else call.args[:1]
    return any(not (isinstance(each, ast.Constant) and not each.value) for each in given)
