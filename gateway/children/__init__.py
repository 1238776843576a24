"""Processes that a gateway starts for work that must be able to end without it."""
