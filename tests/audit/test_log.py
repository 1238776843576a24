"""The Merkle log against RFC 9162's own words, known vectors, and a naive recomputation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.log import checkpoint, merkle
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken
from gateway.audit.log.merkle import ProofWrong
from tests.audit.exported import KEYS, SIGNER

# The leaves and roots that Certificate Transparency's implementations test themselves with.
VECTOR = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
ORIGIN = checkpoint.origin_of("prj_1")
leaves = st.lists(st.binary(max_size=8).map(merkle.leaf_hash), min_size=1, max_size=70)


def naive(hashes: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not hashes:
        return merkle.EMPTY
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return merkle.node_hash(naive(hashes[:k]), naive(hashes[k:]))


def test_roots_are_those_of_the_known_vectors():
    hashes = [merkle.leaf_hash(each) for each in VECTOR]

    assert [merkle.root(hashes[:n]).hex() for n in range(1, 9)] == ROOTS
    assert merkle.root([]).hex().startswith("e3b0c442")


@given(leaves, st.data())
def test_a_tree_that_grows_in_pieces_is_the_tree_of_all_leaves(hashes, data):
    cut = data.draw(st.integers(0, len(hashes)))
    grown = merkle.extended(merkle.extended(merkle.Frontier(), hashes[:cut]), hashes[cut:])

    assert grown.root() == naive(hashes)
    assert len(grown.peaks) == len(hashes).bit_count()


def test_every_proof_of_every_small_tree_holds_and_no_other_does():
    hashes = [merkle.leaf_hash(bytes([n])) for n in range(20)]
    for size in range(1, 21):
        root = naive(hashes[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(hashes[:size], index)
            merkle.check_inclusion(index, size, hashes[index], proof, root)
            with pytest.raises(ProofWrong):
                merkle.check_inclusion(index, size, merkle.leaf_hash(b"x"), proof, root)
            with pytest.raises(ProofWrong):
                merkle.check_inclusion(index, size, hashes[index], [*proof, root], root)
        for before in range(1, size + 1):
            older = naive(hashes[:before])
            proof = merkle.consistency_proof(hashes[:size], before)
            merkle.check_consistency(before, size, older, proof, root)
            with pytest.raises(ProofWrong):
                merkle.check_consistency(before, size, merkle.leaf_hash(b"x"), proof, root)


@given(leaves, st.data())
def test_two_histories_are_never_consistent(hashes, data):
    """A2: a log whose past was changed has no proof that leads from an older checkpoint."""
    before = data.draw(st.integers(1, len(hashes)))
    changed = list(hashes)
    at = data.draw(st.integers(0, before - 1))
    changed[at] = merkle.leaf_hash(b"changed afterwards")
    proof = merkle.consistency_proof(changed, before)

    with pytest.raises(ProofWrong):
        merkle.check_consistency(
            before, len(changed), naive(hashes[:before]), proof, naive(changed)
        )


@given(leaves, st.data())
def test_a_log_that_was_cut_is_smaller_than_its_checkpoint(hashes, data):
    """A2."""
    cut = data.draw(st.integers(0, len(hashes) - 1))

    with pytest.raises(ProofWrong):
        merkle.check_consistency(len(hashes), cut, naive(hashes), [], naive(hashes[:cut]))


def test_a_checkpoint_is_read_as_it_was_signed():
    given = Checkpoint(ORIGIN, 7, merkle.leaf_hash(b"root"))

    note = checkpoint.sign(given, SIGNER)

    assert checkpoint.read(note, ORIGIN, KEYS) == given
    assert note.decode().split("\n")[:2] == [ORIGIN, "7"]


def test_the_signature_of_a_witness_may_stand_beside_ours():
    given = Checkpoint(ORIGIN, 7, merkle.leaf_hash(b"root"))
    note = checkpoint.sign(given, SIGNER) + "\u2014 witness.example AAAAAAAA\n".encode()

    assert checkpoint.read(note, ORIGIN, KEYS) == given


def test_every_flipped_byte_of_a_checkpoint_is_found():
    note = checkpoint.sign(Checkpoint(ORIGIN, 7, merkle.leaf_hash(b"root")), SIGNER)
    for at in range(len(note)):
        for bit in range(8):
            flipped = bytearray(note)
            flipped[at] ^= 1 << bit
            with pytest.raises(NoteBroken):
                checkpoint.read(bytes(flipped), ORIGIN, KEYS)


def test_a_checkpoint_of_another_project_is_refused():
    note = checkpoint.sign(Checkpoint(ORIGIN, 7, merkle.leaf_hash(b"root")), SIGNER)

    with pytest.raises(NoteBroken, match="another log"):
        checkpoint.read(note, checkpoint.origin_of("prj_2"), KEYS)


async def test_leaves_are_the_events_in_the_order_of_their_commits(tmp_path):
    """Runs that take turns, and a log that was there before the table was."""
    from gateway.audit.log.growing import checkpoint_now, leaf_hashes
    from gateway.storage.embedded.ledger import open_ledger
    from tests.ledger import events
    from tests.ledger.events import PROJECT

    ledger = await open_ledger(tmp_path / "ledger.db")
    hashes = []
    for seq in range(1, 4):
        for run_id in ("run_b", "run_a"):
            event = events.started() if seq == 1 else events.draft()
            await ledger.record([events.persist(event, seq, run_id)], {})
            stored = await ledger.events(PROJECT, run_id, seq - 1, 1)
            hashes.append(bytes.fromhex(stored[0].hash))
    wanted = [merkle.leaf_hash(each) for each in hashes]
    seen, _ = await checkpoint_now(ledger, PROJECT)
    older = Checkpoint(seen.origin, 4, naive(wanted[:4]))
    forked = Checkpoint(seen.origin, 4, naive(wanted[1:5]))
    longer = Checkpoint(seen.origin, 7, naive(wanted))
    now, gone = await checkpoint_now(ledger, PROJECT, [longer, forked, older])
    found = await leaf_hashes(ledger, PROJECT, 6)
    await ledger.close()

    assert now == Checkpoint(seen.origin, 6, naive(wanted))
    assert found == wanted
    assert gone == [forked, longer]


async def test_a_ledger_of_the_release_before_gets_its_log(tmp_path):
    import sqlite3

    from tests.audit.exported import recorded
    from tests.ledger.events import PROJECT

    ledger = await recorded(tmp_path)
    wanted = await ledger.leaves(PROJECT, 0, 100)
    await ledger.close()
    connection = sqlite3.connect(tmp_path / "ledger.db")
    with connection:
        connection.execute("DROP TRIGGER event_logged")
        connection.execute("DROP TABLE leaf")
        connection.execute("DROP TABLE leaf_of")
        connection.execute("ALTER TABLE run_secret DROP COLUMN erased")
        for table in ("run_fact", "run_cost", "artifact"):
            connection.execute(f"DROP TABLE {table}")
        for index in ("run_agent", "run_status", "run_parent"):
            connection.execute(f"DROP INDEX {index}")
        connection.execute("DELETE FROM migration WHERE name >= '0003'")
    connection.close()

    from gateway.storage.embedded.ledger import open_ledger

    again = await open_ledger(tmp_path / "ledger.db")
    found = await again.leaves(PROJECT, 0, 100)
    ((_, run_id),) = await again.all_runs()
    places = [await again.place(PROJECT, run_id, n, each) for n, each in enumerate(found, 1)]
    await again.close()

    assert len(found) == 7
    assert places == list(range(7))
    assert found == wanted
