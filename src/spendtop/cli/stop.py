"""`spendtop stop`: stops the collector that holds this store."""

from __future__ import annotations

import sys

from spendtop.cli.options import Options, load_settings
from spendtop.cli.run_task import ask_and_wait
from spendtop.cli.view import stop_process
from spendtop.collector.process.store_lock import places
from spendtop.config.paths import data_folder
from spendtop.services.presence import running_collector
from spendtop.services.tasks import TaskKind
from spendtop.store.engine import Store
from spendtop.store.files import locate

_PATIENCE = 10.0
"""Seconds that a collector on another machine has for its answer."""


def run(options: Options) -> int:
    """End the collector and wait for it; on another machine of the same PostgreSQL ask it to. Returns the exit code."""
    database, _ = locate(load_settings(options).settings.database.url.get_secret_value())
    store = Store(database)
    held = running_collector(places(store, data_folder()).holder)
    if held is None and not store.is_sqlite:
        sys.stdout.write(f"{ask_and_wait(store, TaskKind.STOP, {}, _PATIENCE)}\n")
        return 0
    if held is None:
        sys.stdout.write(f"No collector holds {store.name} on this machine; nothing to stop.\n")
        return 0
    stop_process(held.pid)
    sys.stdout.write(f"Stopped the collector of {store.name} (process {held.pid}).\n")
    return 0
