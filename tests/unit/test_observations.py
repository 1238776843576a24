"""What a report may put into the record in clear: words, numbers and times, not sentences."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.domain.observations import Observation
from gateway.domain.reports import EventBatch

SENTENCE = "my password is hunter2"
FIELDS = {
    "message": {"role": "user", "text": "t", "occurred_at": "2026-11-20T12:00:00.000000Z"},
    "model_call": {"provider": "acme/eu-1", "prompt_version": "v7:a_b@c+d", "duration_ns": "12"}
    | {"confidence": "0.75"},
    "verification": {"name": "n", "status": "passed", "kind": "test"},
    "handoff": {"to_agent": "b", "kind": "escalated", "version": "v1"},
    "retry": {"kind": "fallback", "route": "acme/m-2"},
    "shared_state": {"store": "plan", "version": "v1", "access": "read"},
    "artifact": {
        "name": "a report",
        "access": "read",
        "digest": "a" * 64,
        "media_type": "text/plain; charset=utf-8",
    },
    "gap": {"tool": "t", "reason": "r", "arguments_digest": "sha256:" + "B" * 64},
}
STRICT = [
    ("message", "role"),
    ("message", "occurred_at"),
    ("model_call", "provider"),
    ("model_call", "prompt_version"),
    ("model_call", "duration_ns"),
    ("artifact", "digest"),
    ("artifact", "media_type"),
    ("gap", "arguments_digest"),
    ("artifact", "access"),
    ("model_call", "confidence"),
    ("verification", "kind"),
    ("handoff", "kind"),
    ("handoff", "version"),
    ("retry", "route"),
    ("shared_state", "version"),
    ("shared_state", "access"),
]


@pytest.mark.parametrize(("kind", "field"), STRICT)
def test_no_sentence_hides_in_what_is_kept_in_clear(kind, field):
    """Content is sealed; what stays readable has a form that free text does not have."""
    good = FIELDS[kind]
    given = [f"{good[field]} {SENTENCE}", f"{good[field]}\n", f"{SENTENCE} {good[field]}", ""]
    for value in [SENTENCE, *given]:
        with pytest.raises(msgspec.ValidationError, match=field):
            _read(kind, {**good, field: value})


def test_a_gap_s_side_effects_are_words():
    with pytest.raises(msgspec.ValidationError, match="side_effects"):
        _read("gap", {**FIELDS["gap"], "side_effects": [SENTENCE]})


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_what_is_well_formed_is_taken(kind):
    assert _read(kind, FIELDS[kind]) is not None


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-20T12:00:00Z",
        "2026-11-20t12:00:00.123456789z",
        "2026-11-20T12:00:00+05:30",
        "2026-11-20T12:00:00.5-08:00",
    ],
)
def test_times_are_rfc_3339(at):
    assert _read("turn_started", {"occurred_at": at}) is not None


def _read(kind: str, fields: dict[str, Any]) -> Observation:
    batch = {"run": {"id": "r"}, "events": [{"type": kind, **fields}]}
    return msgspec.json.decode(msgspec.json.encode(batch), type=EventBatch).events[0]
