"""A run as evidence for outsiders: one folder or zip, the same bytes each time.

`reading` takes a run out of the ledger, `receipt` says what is in it, `assembling` makes the files,
`container` writes and reads them, and `checking` verifies them with the public key alone.
"""
