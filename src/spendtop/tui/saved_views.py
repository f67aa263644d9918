"""What the screens remember between two starts: the filters that were typed, views with a name, and whether the steps
of a first run are still listed."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from spendtop.domain.errors import UsageError, nearest
from spendtop.domain.untrusted import clean_line, clean_name

MOST = 200
"""Filters that are remembered."""
_log = logging.getLogger(__name__)


class SavedView(msgspec.Struct, frozen=True):
    """What a list of requests is of. `time` is the window as the filter language has it."""

    filter: str
    time: str = ""
    order: str = "time"
    descending: bool = True


class _Content(msgspec.Struct):
    filters: list[str] = []
    views: dict[str, SavedView] = {}
    is_first_run: bool = False


class SavedViews:
    """In a file, or nowhere. A file that cannot be read or written is left as it is, and said in the log."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._content = self._read()

    @property
    def filters(self) -> list[str]:
        """Those that were typed, the last one at the end."""
        return self._content.filters

    @property
    def names(self) -> list[str]:
        return sorted(self._content.views)

    @property
    def is_first_run(self) -> bool:
        """Whether the steps of a first run are listed."""
        return self._content.is_first_run

    def note_first_run(self, is_first_run: bool) -> None:
        """Whether they are from now on."""
        if is_first_run is not self.is_first_run:
            self._content.is_first_run = is_first_run
            self._write()

    def remember(self, text: str) -> None:
        """A filter that was typed."""
        if text.strip():
            self._content.filters = [*(each for each in self.filters if each != text), text][-MOST:]
            self._write()

    def save(self, name: str, view: SavedView) -> None:
        """Under a name that may have been another view's."""
        self._content.views[name] = view
        self._write()

    def forget(self, name: str) -> None:
        """Raises UsageError for a name that no view has."""
        self.view(name)
        del self._content.views[name]
        self._write()

    def view(self, name: str) -> SavedView:
        """Raises UsageError for a name that no view has."""
        if name not in self._content.views:
            near = nearest(name, self.names)
            hint = f"; did you mean '{clean_line(near)}'?" if near else ": ':view save NAME' keeps what is listed"
            raise UsageError(f"There is no view {clean_name(name, 30)!r}{hint}")
        return self._content.views[name]

    def _read(self) -> _Content:
        try:
            return _Content() if self._path is None else msgspec.json.decode(self._path.read_bytes(), type=_Content)
        except FileNotFoundError:
            return _Content()
        except (OSError, msgspec.DecodeError) as failure:
            _log.warning("%s cannot be read: %s", self._path, failure)
            self._path = None
            return _Content()

    def _write(self) -> None:
        if self._path is None:
            return
        from spendtop.services.stores.presence import write_atomically

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, msgspec.json.format(msgspec.json.encode(self._content)).decode())
        except OSError as failure:
            _log.warning("%s cannot be written: %s", self._path, failure)
