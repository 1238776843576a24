"""What asyncpg and the network raise, told apart and put into words of our own.

A driver's text may quote a row, and a row may be somebody else's: none of it is passed on.
"""

from __future__ import annotations

import asyncpg

from gateway.errors import StorageFailure

CONNECT_SECONDS = 3.0

# What asyncpg raises, besides what the network does.
DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


def connection_lost(error: BaseException) -> bool:
    """Whether the error is about the connection and not about what was asked."""
    away = (
        asyncpg.PostgresConnectionError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.InterfaceError,
        OSError,
    )
    return isinstance(error, away) and not isinstance(error, ValueError)


def failure(error: BaseException) -> StorageFailure:
    """The driver's error in words that hold nothing of any row."""
    if isinstance(error, TimeoutError):
        return StorageFailure("The database did not answer in time.")
    if isinstance(error, asyncpg.QueryCanceledError):
        return StorageFailure("The database took too long over a statement.")
    if isinstance(error, asyncpg.PostgresError):
        return StorageFailure(f"The database refused a statement (SQLSTATE {error.sqlstate}).")
    if isinstance(error, ValueError):
        return StorageFailure("The database cannot be asked for such a value.")
    return StorageFailure("The database is away.")
