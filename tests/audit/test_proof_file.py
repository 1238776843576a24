"""A2, A3: a proof in a file says what it shows, and nothing once it was touched."""

from __future__ import annotations

import random

import msgspec
import pytest

from gateway.audit import chain
from gateway.audit.log import checkpoint, merkle, proof_file
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken
from gateway.audit.log.merkle import ProofWrong
from gateway.audit.log.proving import text_of
from gateway.audit.signing import ed25519
from tests.audit.exported import KEYS, SIGNER
from tests.ledger import events
from tests.ledger.events import PROJECT

RUN = "run_1"
COUNT = 300
LINKS = chain.extend(
    chain.genesis(PROJECT, RUN),
    [
        events.persist(events.started() if seq == 1 else events.draft(), seq, RUN).event
        for seq in range(1, COUNT + 1)
    ],
)
LEAVES = [merkle.leaf_hash(bytes.fromhex(each.hash)) for each in LINKS]
KEY = ed25519.key_id(SIGNER.public)


def note(size: int, project_id: str = PROJECT) -> str:
    at = Checkpoint(checkpoint.origin_of(project_id), size, merkle.root(LEAVES[:size]))
    return checkpoint.sign(at, SIGNER).decode()


def included(index: int, size: int = COUNT) -> proof_file.Inclusion:
    proof = [text_of(each) for each in merkle.inclusion_proof(LEAVES[:size], index)]
    return proof_file.Inclusion(1, LINKS[index].record.decode(), index, proof, note(size))


def grown(before: int, size: int = COUNT) -> proof_file.Consistency:
    proof = merkle.consistency_proof(LEAVES[:size], before)
    return proof_file.Consistency(1, note(before), note(size), [text_of(each) for each in proof])


def shown(
    proof: proof_file.Inclusion | proof_file.Consistency, since: str | None = None
) -> proof_file.Proven:
    return proof_file.verify(proof_file.encode(proof), KEYS, {KEY: since} if since else {})


def test_they_say_what_they_show():
    event, growth = shown(included(41, 250)), shown(grown(77))

    assert (event.run_id, event.seq, event.index, event.size) == (RUN, 42, 41, 250)
    assert (growth.before, growth.size) == (77, COUNT)
    assert event.signed_by == growth.signed_by == (KEY,)


@pytest.mark.parametrize("proof", [included(41), grown(77)], ids=["inclusion", "consistency"])
def test_whatever_is_changed_in_one_shows(proof):
    """Of every byte another; only in the seal's padding may one mean the same."""
    data = proof_file.encode(proof)
    wanted = proof_file.verify(data, KEYS)
    chance = random.Random(7)
    for place in chance.sample(range(len(data)), 400):
        touched = bytearray(data)
        touched[place] ^= 1 << chance.randrange(7)
        try:
            found = proof_file.verify(bytes(touched), KEYS)
        except (ProofWrong, NoteBroken):
            continue
        assert found == wanted


@pytest.mark.parametrize(
    "proof",
    [
        msgspec.structs.replace(included(41), event=LINKS[42].record.decode()),
        msgspec.structs.replace(included(41), index=42),
        msgspec.structs.replace(included(41), checkpoint=note(COUNT - 1)),
        msgspec.structs.replace(included(41), checkpoint=note(COUNT, "prj_2")),
        msgspec.structs.replace(included(41), version=2),
        msgspec.structs.replace(grown(77), before=note(78)),
        msgspec.structs.replace(grown(77), before=note(77, "prj_2")),
        msgspec.structs.replace(grown(77), before=note(COUNT), checkpoint=note(77)),
    ],
)
def test_what_does_not_belong_together_proves_nothing(proof):
    with pytest.raises((ProofWrong, NoteBroken)):
        shown(proof)


def test_a_compromised_key_vouches_for_events_before_and_for_no_growth():
    """A5."""
    assert shown(included(41), since="2100-01-01T00:00:00Z").compromised_at is not None
    with pytest.raises(ProofWrong, match="compromised"):
        shown(included(41), since="2001-01-01T00:00:00Z")
    with pytest.raises(ProofWrong, match="compromised"):
        shown(grown(77), since="2100-01-01T00:00:00Z")


@pytest.mark.parametrize("proof", [included(41), grown(77)], ids=["inclusion", "consistency"])
def test_a_signer_with_two_histories_is_found_by_what_a_witness_kept(proof):
    """Each history proves itself; only a checkpoint that somebody else kept tells them apart."""
    proven = shown(proof)
    other = Checkpoint(checkpoint.origin_of(PROJECT), COUNT, merkle.root(LEAVES[1:] + LEAVES[:1]))

    proof_file.hold(proven, note(COUNT).encode(), KEYS)
    with pytest.raises(ProofWrong, match="another log"):
        proof_file.hold(proven, checkpoint.sign(other, SIGNER), KEYS)
    with pytest.raises(ProofWrong, match="nothing about"):
        proof_file.hold(proven, note(5).encode(), KEYS)
    with pytest.raises(NoteBroken):
        proof_file.hold(proven, note(COUNT, "prj_2").encode(), KEYS)


def test_a_key_that_is_not_known_shows_nothing():
    with pytest.raises(NoteBroken):
        proof_file.verify(proof_file.encode(included(41)), {})
