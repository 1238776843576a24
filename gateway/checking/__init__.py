"""The hot path: gate, authenticate, gather, evaluate, judge, append, respond."""
