"""The Merkle tree of RFC 9162, section 2.1: roots, inclusion proofs, consistency proofs. Pure.

`Frontier` grows a tree leaf by leaf and remembers only the roots of its full subtrees, as many as
the size has one bits. Proofs are made from the hashes of the leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

EMPTY = hashlib.sha256(b"").digest()
HASH_BYTES = 32

# Leaves from the first to before the second.
Range = tuple[int, int]


class ProofWrong(ValueError):
    """The proof does not show what it is said to."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf; its prefix keeps it from ever being that of a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    return extended(Frontier(), leaves).root()


def full_root(leaves: Sequence[bytes]) -> bytes:
    """The same, quicker, where their number is a power of two: one level after the other."""
    level, sha256 = list(leaves), hashlib.sha256
    while len(level) > 1:
        pairs = iter(level)
        level = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(pairs, pairs, strict=True)
        ]
    return level[0]


class Frontier(Struct, frozen=True):
    """A tree of `size` leaves by the roots of its full subtrees, the largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node_hash(peak, found)
        return found


def extended(frontier: Frontier, leaves: Sequence[bytes]) -> Frontier:
    """The tree with these leaf hashes behind those it has."""
    size, peaks = frontier.size, list(frontier.peaks)
    for leaf in leaves:
        size += 1
        peaks.append(leaf)
        # As many subtrees became full as the new size has zero bits at its end.
        for _ in range((size & -size).bit_length() - 1):
            right = peaks.pop()
            peaks.append(node_hash(peaks.pop(), right))
    return Frontier(size, tuple(peaks))


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """RFC 9162, 2.1.3.1: the ranges of leaves whose roots lead from leaf `index` to the root."""
    assert 0 <= index < size
    return _path(index, 0, size)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The roots themselves."""
    return [root(leaves[begin:end]) for begin, end in inclusion_ranges(index, len(leaves))]


def check_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], wanted: bytes
) -> None:
    """RFC 9162, 2.1.3.2. Raises ProofWrong."""
    if not 0 <= index < size:
        raise ProofWrong("there is no such leaf in a tree of that size")
    place, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            raise ProofWrong("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(each, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, each)
        place, last = place >> 1, last >> 1
    if last or found != wanted:
        raise ProofWrong("the proof does not lead to the root")


def consistency_ranges(before: int, size: int) -> list[Range]:
    """RFC 9162, 2.1.4.1: the ranges of leaves whose roots show that the tree of the first `before`
    leaves is how this one began."""
    assert 0 < before <= size
    return _subproof(before, 0, size, whole=True)


def consistency_proof(leaves: Sequence[bytes], before: int) -> list[bytes]:
    """The roots themselves."""
    return [root(leaves[begin:end]) for begin, end in consistency_ranges(before, len(leaves))]


def check_consistency(
    before: int, size: int, root_before: bytes, proof: Sequence[bytes], wanted: bytes
) -> None:
    """RFC 9162, 2.1.4.2. Raises ProofWrong. Everything begins with the empty tree."""
    if not 0 <= before <= size:
        raise ProofWrong("the older tree is the larger one")
    if before == size or before == 0:
        if proof or root_before != (wanted if before == size else EMPTY):
            raise ProofWrong("the trees are not what they should be")
        return
    path = [root_before, *proof] if before & (before - 1) == 0 else list(proof)
    if not path:
        raise ProofWrong("the proof is empty")
    if _both(before, size, path) != (root_before, wanted):
        raise ProofWrong("the newer tree does not begin with the older one")


def _both(before: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the older and of the newer tree, as the proof gives them."""
    first, second = before - 1, size - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    old = new = path[0]
    for each in path[1:]:
        if second == 0:
            raise ProofWrong("the proof is too long")
        if first & 1 or first == second:
            old, new = node_hash(each, old), node_hash(each, new)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            new = node_hash(new, each)
        first, second = first >> 1, second >> 1
    if second:
        raise ProofWrong("the proof is too short")
    return old, new


def _path(index: int, begin: int, end: int) -> list[Range]:
    if end - begin == 1:
        return []
    middle = begin + split(end - begin)
    if index < middle:
        return [*_path(index, begin, middle), (middle, end)]
    return [*_path(index, middle, end), (begin, middle)]


def _subproof(before: int, begin: int, end: int, *, whole: bool) -> list[Range]:
    if before == end:
        return [] if whole else [(begin, end)]
    middle = begin + split(end - begin)
    if before <= middle:
        return [*_subproof(before, begin, middle, whole=whole), (middle, end)]
    return [*_subproof(before, middle, end, whole=False), (begin, middle)]


def split(size: int) -> int:
    """The largest power of two below `size`: where RFC 9162 divides a tree."""
    return 1 << ((size - 1).bit_length() - 1)
