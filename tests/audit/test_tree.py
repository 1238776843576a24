"""Proofs from tiles are those from all leaves, at every size that the log had."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.audit.log import merkle
from gateway.audit.log.tree import LogTree
from gateway.storage.embedded.ledger import open_ledger

PROJECT = "prj_1"


def fill(path: Path, begin: int, end: int) -> list[bytes]:
    """Leaves as they are stored, without the events that they would be of."""
    hashes = [sha256(str(n).encode()).digest() for n in range(begin, end)]
    with sqlite3.connect(path) as connection:
        rows = [(PROJECT, place, digest) for place, digest in enumerate(hashes, begin)]
        connection.executemany("INSERT INTO leaf VALUES (?, ?, ?)", rows)
    connection.close()
    return [merkle.leaf_hash(each) for each in hashes]


async def test_roots_and_proofs_are_those_of_all_leaves(tmp_path):
    ledger = await open_ledger(tmp_path / "ledger.db")
    tree = LogTree(ledger, PROJECT)
    hashes = fill(tmp_path / "ledger.db", 0, 700)
    assert await tree.size() == 700
    hashes += fill(tmp_path / "ledger.db", 700, 1800)
    assert await tree.size() == 1800

    for size in (1, 2, 255, 256, 257, 511, 512, 513, 769, 1024, 1535, 1537, 1791, 1792, 1800):
        found = await tree.checkpoint(size)
        assert found.root == merkle.root(hashes[:size])
        for index in {0, size // 2, size - 1}:
            assert await tree.inclusion(index, size) == merkle.inclusion_proof(hashes[:size], index)
        for before in {1, size // 3 or 1, size}:
            assert await tree.consistency(before, size) == merkle.consistency_proof(
                hashes[:size], before
            )
    await ledger.close()


async def test_the_empty_log_has_a_root_and_leads_everywhere(tmp_path):
    ledger = await open_ledger(tmp_path / "ledger.db")
    tree = LogTree(ledger, PROJECT)

    assert await tree.size() == 0
    assert (await tree.checkpoint(0)).root == merkle.EMPTY
    assert await tree.consistency(0, 0) == []
    merkle.check_consistency(0, 0, merkle.EMPTY, [], merkle.EMPTY)
    with pytest.raises(AssertionError):
        await tree.inclusion(0, 0)
    await ledger.close()
