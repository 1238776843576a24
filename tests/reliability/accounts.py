"""Comparing what clients were told with what was recorded. Each function raises on a difference."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.reliability import record
from tests.reliability.record import Entry, Runs
from tests.reliability.witnesses import Seen

SAID = ("verdict", "enforced", "mode", "arguments_digest")
LET_THROUGH = ("allow", "warn", "modify")


def checks_are_recorded(runs: Runs, told: list[Seen]) -> None:
    """Each acknowledged decision is in its run once, at its seq, and says the same."""
    decisions: dict[str, list[Entry]] = defaultdict(list)
    for entry in record.of_type(runs, "decision"):
        decisions[entry.body["decision_id"]].append(entry)
    assert [found for found, entries in decisions.items() if len(entries) > 1] == []
    for each in told:
        if each.kind == "check":
            reply = each.reply
            assert reply["decision_id"] in decisions, reply
            _says_the_same(decisions[reply["decision_id"]][0], reply)


def _says_the_same(entry: Entry, reply: dict[str, Any]) -> None:
    decision, event = entry.content["decision"], entry.event
    assert (event.run_id, event.seq) == (reply["run_id"], reply["seq"]), reply
    assert event.action_id == reply["action_id"], reply
    assert {name: decision[name] for name in SAID} == {name: reply[name] for name in SAID}
    assert decision["reasons"] == reply["reasons"]
    assert decision["degraded"] == reply["degraded"]
    assert decision["policy_digest"] == reply["policy"]["digest"]
    changed = decision["arguments"] if decision["enforced"] == "modify" else None
    assert changed == reply["arguments"], reply
    approval = reply["approval"] and reply["approval"]["id"]
    assert entry.body["approval_id"] == approval, reply


def actions_are_judged_once(runs: Runs, told: list[Seen]) -> None:
    """However often it was asked for, an action has one judgement, and is let through once.

    In a run that was halted meanwhile there may be the halt besides.
    """
    judged: Counter[str] = Counter()
    for entry in record.of_type(runs, "decision"):
        if entry.body["prior"] is None:
            judged[entry.event.action_id or ""] += 1
    assert [action for action, count in judged.items() if count > 1] == []
    acknowledged: dict[str, set[str]] = defaultdict(set)
    for each in told:
        if each.kind == "check" and "id" in each.sent["action"]:
            acknowledged[each.sent["action"]["id"]].add(each.reply["decision_id"])
    assert [action for action, found in acknowledged.items() if len(found) > 1] == []


def results_are_recorded(runs: Runs, told: list[Seen]) -> None:
    """Each acknowledged result is there once, with its output."""
    results: dict[str, list[Entry]] = defaultdict(list)
    for entry in record.of_type(runs, "result"):
        results[entry.body["decision_id"]].append(entry)
    for each in told:
        if each.kind == "result":
            found = results[each.sent["decision_id"]]
            assert [entry.content["output"] for entry in found] == [each.sent["output"]]
            assert found[0].body["status"] == each.sent["status"]
    assert record.of_type(runs, "result_conflict") == []


def batches_are_recorded(runs: Runs, told: list[Seen]) -> None:
    """Each acknowledged batch stands whole at the seqs that were told."""
    for each in told:
        if each.kind == "events":
            reply = each.reply
            begins = reply["first_seq"] - 1
            entries = runs[reply["run_id"]][begins : begins + reply["count"]]
            texts = [
                entry.content["observation"]["text"]
                for entry in entries
                if entry.event.type == "message"
            ]
            assert texts == [event["text"] for event in each.sent["events"]], reply


def sum_of_events(runs: Runs) -> dict[tuple[str, str], int]:
    """What shared counters must hold: what the decisions took, without what was given back."""
    wanted: Counter[tuple[str, str]] = Counter()
    for events in runs.values():
        for entry in events:
            for key, amount in entry.body.get("reservations", {}).items():
                wanted[entry.event.project_id, key] += amount
            for key, amount in entry.body.get("released", {}).items():
                wanted[entry.event.project_id, key] -= amount
    return dict(wanted)


def counters_are_the_sum_of_events(data: Path, runs: Runs) -> None:
    """Shared counters hold what the decisions took and what was given back; nothing is lost."""
    rows = record.query(data / "journal.db", "SELECT project_id, key, total FROM counter")
    found = {(project_id, key): total for project_id, key, total in rows}
    assert found == sum_of_events(runs)


def nothing_is_missing(data: Path, told: list[Seen]) -> Runs:
    """All of it, on a stopped and drained data folder; returns what is recorded."""
    assert record.waiting(data) == 0
    runs = record.read_runs(data)
    all_is_recorded(runs, told)
    counters_are_the_sum_of_events(data, runs)
    return runs


def all_is_recorded(runs: Runs, told: list[Seen]) -> None:
    """What was told is in these runs, once and the same, and they have no gaps."""
    assert record.gaps(runs) == []
    assert record.of_type(runs, "unreadable") == []
    checks_are_recorded(runs, told)
    actions_are_judged_once(runs, told)
    results_are_recorded(runs, told)
    batches_are_recorded(runs, told)
