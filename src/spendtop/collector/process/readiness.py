"""Where a collector stands, said beside the store and to systemd."""

from __future__ import annotations

import os
from pathlib import Path

import spendtop
from spendtop.collector.process.systemd import notify_systemd
from spendtop.domain.clock import Clock
from spendtop.services.presence import Holder, State, announce, holder, process_start

_FOR_SYSTEMD = {State.READY: "READY=1", State.STOPPING: "STOPPING=1"}


class Standing:
    """What this collector says about itself; `url` is where it listens."""

    def __init__(self, file: Path, url: str, started_by: str, clock: Clock) -> None:
        self._file = file
        self.url = url
        self._started_by = started_by
        self._since = clock()

    def tell(self, state: State) -> None:
        """Say where we stand now."""
        me = Holder(
            pid=os.getpid(),
            state=state,
            url=self.url,
            started_by=self._started_by,
            since=self._since,
            process_started=process_start(os.getpid()),
            version=spendtop.__version__,
        )
        announce(self._file, me)
        if state in _FOR_SYSTEMD:
            notify_systemd(_FOR_SYSTEMD[state])

    def leave(self) -> None:
        """Say no more. What another collector of the same PostgreSQL says stays."""
        said = holder(self._file)
        if said is None or said.pid == os.getpid():
            self._file.unlink(missing_ok=True)
