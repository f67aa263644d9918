"""The configuration as the files of this viewer say now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.cli.options import Options, load_again
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.errors import SpendtopError

if TYPE_CHECKING:
    from spendtop.config.file_watch import Snapshot
    from spendtop.store.reads.configuration.applied import Applied


class LocalConfig:
    """Read again when a file has changed; one that cannot be used leaves what was read before."""

    def __init__(self, options: Options, loaded: Loaded) -> None:
        self._options = options
        self._loaded = loaded
        self._places = loaded.files.places
        self._seen: Snapshot | None = None
        self.settings: Settings = loaded.settings

    def look(self) -> None:
        """Read again what has changed. Runs in a thread."""
        from spendtop.config.file_watch import snapshot

        seen = snapshot(self._places)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            read = load_again(self._options, self._loaded)
        except SpendtopError:
            return
        if not read.problems:  # else the collector refuses it too, and says why
            self.settings = read.settings

    def differences(self, applied: Applied) -> tuple[str, ...]:
        """What it has otherwise than the collector, which decides wherever the viewer runs."""
        ours = self.settings
        compared = {
            "limits": (tuple(limit.limit() for limit in ours.limits), applied.limits),
            "channels": (tuple(channel.name for channel in ours.channels), applied.channels),
            "time": (ours.time.calendar, applied.calendar),
        }
        return tuple(name for name, (here, there) in compared.items() if here != there)
