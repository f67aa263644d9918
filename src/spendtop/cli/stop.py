"""`spendtop stop`: stops the collector that holds this store."""

from __future__ import annotations

import sys

from spendtop.cli.options import Options, load_settings
from spendtop.cli.view import stop_process
from spendtop.collector.holding import places
from spendtop.config.paths import data_folder
from spendtop.services.presence import holder
from spendtop.store.engine import Store
from spendtop.store.files import locate


def run(options: Options) -> int:
    """Ask the collector to end and wait for it; returns the exit code."""
    database, _ = locate(load_settings(options).settings.database.url.get_secret_value())
    store = Store(database)
    held = holder(places(store, data_folder()).holder)
    if held is None:
        sys.stdout.write(f"No collector holds {store.name} on this machine; nothing to stop.\n")
        return 0
    stop_process(held.pid)
    sys.stdout.write(f"Stopped the collector of {store.name} (process {held.pid}).\n")
    return 0
