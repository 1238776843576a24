"""`python -m gateway.worker --data DIR`: the worker of the embedded stores.

Like `wiring`, this is where implementations are picked; everything else in this package knows
the ports alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

from gateway.ambient import SystemAmbient
from gateway.errors import CheckreinError, ConfigInvalid
from gateway.storage import master_key
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.drain import EmbeddedDrain
from gateway.storage.embedded.ledger import open_ledger
from gateway.storage.keyring import Keyring
from gateway.telemetry import configure_logging, logger
from gateway.worker.lease import lease
from gateway.worker.process import give_way, record_until_told
from gateway.worker.recorder import Recorder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.worker", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data folder")
    parser.add_argument("--master-key", type=Path, metavar="FILE", help="else DIR/master.key")
    parser.add_argument("--log-level", default="info")
    given = parser.parse_args()
    configure_logging(given.log_level)
    give_way()
    try:
        asyncio.run(_work(given.data, given.master_key))
    except CheckreinError as error:
        logger("worker").error("worker_failed", problem=str(error))
        sys.exit(1)


async def _work(folder: Path, key_file: Path | None) -> None:
    key = master_key.from_file(key_file or folder / "master.key")
    if not (folder / "journal.db").exists():
        raise ConfigInvalid(f"There is no journal in {folder}: a gateway makes it when it starts.")
    ambient = SystemAmbient()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(lease(folder))
        control = EmbeddedControl(folder / "control.db", ambient)
        stack.push_async_callback(control.close)
        keyring = Keyring(control, key)
        # Under another key every record would look as if it could not be read any more.
        await keyring.verify()
        drain = EmbeddedDrain(folder / "journal.db")
        stack.push_async_callback(drain.close)
        ledger = await open_ledger(folder / "ledger.db")
        stack.push_async_callback(ledger.close)
        await record_until_told(Recorder(drain, ledger, keyring.run_secret, ambient))


if __name__ == "__main__":
    main()
