"""`python -m gateway.serving.worker`: the worker's process. Settings come from the environment."""

from __future__ import annotations

import asyncio
import os
import sys

from gateway.config import Settings, load
from gateway.errors import CheckreinError
from gateway.serving.collecting import collect_seldom
from gateway.telemetry import configure_logging, logger
from gateway.wiring import open_worker
from gateway.worker.process import give_way, record_until_told


def main() -> None:
    """Record until told to stop; exit code 1 when it cannot."""
    try:
        settings = load(os.environ).settings
        configure_logging(settings.log_level)
        give_way()
        asyncio.run(_work(settings))
    except CheckreinError as error:
        logger("worker").error("worker_failed", problem=str(error))
        sys.exit(1)


async def _work(settings: Settings) -> None:
    async with open_worker(settings) as worker:
        collect_seldom()
        await record_until_told(worker.recorder, worker.auditor, witnessing=worker.witnessing)


if __name__ == "__main__":
    main()
