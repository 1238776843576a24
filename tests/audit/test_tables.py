"""Many runs as tables: the filters hold, memory does not grow, no cell is a formula (S3-32)."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path

import pytest

from gateway.audit.tables.rows import FIELDS, rows
from gateway.audit.tables.writing import Format, cell, written
from gateway.storage.embedded.ledger import EmbeddedLedger, open_ledger
from gateway.storage.wanted import RunFilter
from tests.api.live import live_gateway
from tests.audit.exported import recorded
from tests.ledger import events
from tests.ledger.events import PROJECT


async def _text(ledger: EmbeddedLedger, form: Format, wanted: RunFilter | None = None) -> str:
    found = rows(ledger, PROJECT, wanted or RunFilter())
    return b"".join([piece async for piece in written(found, form)]).decode()


async def test_the_three_forms_say_the_same(tmp_path: Path):
    ledger = await recorded(tmp_path)
    as_csv = list(csv.DictReader(io.StringIO(await _text(ledger, "csv"))))
    as_json = json.loads(await _text(ledger, "json"))
    as_lines = [json.loads(line) for line in (await _text(ledger, "jsonl")).splitlines()]
    nothing = await _text(ledger, "json", RunFilter(agent_id="nobody"))
    await ledger.close()

    assert as_json == as_lines
    assert [row["row"] for row in as_json] == ["run", "action"]
    assert [row["tool"] for row in as_csv] == ["", "stripe.refund"]
    assert tuple(as_csv[0]) == FIELDS
    assert json.loads(nothing) == []


async def test_a_name_that_is_a_formula_is_text(tmp_path: Path):
    ledger = await recorded(tmp_path)
    (run, _) = csv.DictReader(io.StringIO(await _text(ledger, "csv")))
    await ledger.close()

    assert run["name"] == "'=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "\uff1d1", "\ufeff=1"]
)
def test_no_cell_begins_like_a_formula(text: str):
    assert cell(text) == f"'{text}"
    assert cell([text])[:1] == "["


async def test_memory_does_not_grow_with_the_runs(tmp_path: Path):
    """Held rows of the larger table would take megabytes; other threads of the tests take some."""
    ledger = await open_ledger(tmp_path / "ledger.db")
    runs = [events.persist(events.started(), 1, f"run_{number:05}") for number in range(6_000)]
    await ledger.record(runs, {})
    peaks = []
    for limit in (100, 6_000):
        tracemalloc.start()
        seen = 0
        async for _ in written(rows(ledger, PROJECT, RunFilter()), "jsonl"):
            seen += 1
            if seen == limit:
                break
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    await ledger.close()

    assert seen == 6_000
    assert peaks[1] < peaks[0] + 2 * 1024 * 1024


def test_runs_are_exported_over_http_as_the_list_filters_them(tmp_path):
    """S3-32."""
    with live_gateway(tmp_path) as live, live.client() as client:
        for name in ("=1+1", "other"):
            run = {"id": name, "name": name, "agent_id": f"bot {name}"}
            for tool in ("files.read", "files.delete"):
                body = {"run": run, "action": {"tool": tool, "arguments": {}}}
                client.post("/v1/check-action", json=body).raise_for_status()
            client.get(f"/v1/runs/{name}").raise_for_status()
        csv_ = client.get("/v1/exports/runs", params={"format": "csv"})
        lines = client.get("/v1/exports/runs", params={"agent_id": "bot other"})
        array = client.get("/v1/exports/runs", params={"format": "json"})
        none = client.get("/v1/exports/runs", params={"format": "json", "status": "halted"})
        wrong = client.get("/v1/exports/runs", params={"format": "xlsx"})
        with live.client("other") as stranger:
            theirs = stranger.get("/v1/exports/runs", params={"format": "json"})

    table = list(csv.DictReader(io.StringIO(csv_.text)))
    assert [each["row"] for each in table] == ["run", "action", "action"] * 2
    assert "'=1+1" in [each["name"] for each in table]
    assert [json.loads(line)["row"] for line in lines.text.splitlines()] == [
        "run",
        "action",
        "action",
    ]
    assert len(array.json()) == 6
    assert none.json() == theirs.json() == []
    assert wrong.status_code == 400
    assert csv_.headers["content-type"].startswith("text/csv")
