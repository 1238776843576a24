"""A process that appends to a spool until it is killed, and says what was acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from gateway.storage.spool import FileSpool

WRITERS = 8


async def main(folder: str, life: str) -> None:
    spool = FileSpool(Path(folder), bytes(32), 64 << 20, segment_bytes=20_000)

    async def write(writer: int) -> None:
        count = 0
        while True:
            text = f"{life}-{writer}-{count}".encode()
            await spool.append(text + b"." * (count % 900))
            os.write(1, text + b"\n")
            count += 1

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
