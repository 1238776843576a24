"""The compact record of a run: what it was, what it did, and what of it was captured."""
