"""Checkrein's gateway: judges each tool call of an agent before it runs, and remembers it."""
