"""A project's log: a Merkle tree over its events in commit order, and signed checkpoints of it.

A hash chain shows what was changed; that its end was cut off, or that there are two histories, only
a checkpoint that somebody else holds can show.
"""
