"""Following a project while it happens: the ledger's events as small messages, shared by whoever
listens. The ledger is the only queue, so nobody who reads slowly is ever in anybody's way."""
