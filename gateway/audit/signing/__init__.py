"""Signatures: Ed25519 keys, and DSSE envelopes over exported bytes."""
