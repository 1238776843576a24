"""What is remembered of parts that repeat: never another secret's seal, and never too much."""

from __future__ import annotations

from gateway.domain import blobs
from gateway.domain.blobs import RunKeys, run_keys
from gateway.storage import record
from gateway.storage.ports import Claim
from gateway.worker.finishing import Repeated, finish
from tests.ledger import events
from tests.ledger.events import NOON, PROJECT

RUN = "run_1"


def claim(keys: RunKeys, seq: int, amount: int = 1) -> Claim:
    draft = events.decided({"amount": amount})
    raw = record.encode(draft, record.seal_content(keys.content, PROJECT, RUN, draft))
    return Claim(seq, PROJECT, "production", RUN, seq, raw)


def test_equal_parts_of_a_run_are_sealed_once():
    keys, repeated = run_keys(b"a" * 32), Repeated()

    one, two = (finish(claim(keys, seq), keys, repeated, NOON).persist.blobs for seq in (1, 2))

    shared = [name for name in one if name != "frame" and one[name][1].key == two[name][1].key]
    assert shared
    assert all(one[name][1].sealed is two[name][1].sealed for name in shared)


def test_a_run_that_began_anew_under_another_secret_is_sealed_with_that():
    repeated = Repeated()
    for secret in (b"a" * 32, b"b" * 32):
        keys = run_keys(secret)

        found = finish(claim(keys, 1), keys, repeated, NOON)

        assert found.problem is None
        for _, blob in found.persist.blobs.values():
            assert blobs.open_part(keys, PROJECT, RUN, blob.key, blob.sealed)


def test_what_is_remembered_is_bounded():
    keys, repeated = run_keys(b"a" * 32), Repeated()
    most = 0
    for seq in range(1, 200):
        repeated.bound(100_000)
        finish(claim(keys, seq, seq), keys, repeated, NOON)
        held = sum(
            len(data) + len(blob.sealed)
            for known in repeated.sealed.values()
            for data, blob in known.items()
        )
        cut = sum(len(data) for _, data in repeated.cuts)
        most = max(most, held + cut)

    assert 20_000 < most < 110_000
