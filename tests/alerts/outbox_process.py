"""An outbox in a process of its own, to be killed: `outbox_process.py STORE PORT CHANNEL...`."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from msgspec.structs import replace

from spendtop.alerts.courier import ProcessCourier
from spendtop.alerts.outbox_loop import OutboxLoop
from tests.alerts.stores import QUICK, opened


async def main(path: str, port: str, *channels: str) -> None:
    with opened(Path(path)) as (store, writer):
        outbox = OutboxLoop(
            store=store,
            writes=writer,
            channels=lambda: {channel: f"json://127.0.0.1:{port}/{channel}" for channel in channels},
            courier=ProcessCourier(),
            clock=lambda: time.time_ns() // 1000,
            timing=replace(QUICK, lease=500_000),
        )
        await outbox.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
