"""The version, stated once more than in pyproject.toml because reading metadata costs 25 ms."""

__version__ = "0.1.0"
