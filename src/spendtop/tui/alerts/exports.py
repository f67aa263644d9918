"""Alerts as records, and into a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.domain.clock import to_iso
from spendtop.domain.money import Usd
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.file_export import FORMATS, FileExport, write_records
from spendtop.tui.screens.live_screen import LiveScreen

if TYPE_CHECKING:
    from spendtop.store.reads.alerts.attention import AlertRow

COLUMNS = (
    "id",
    "kind",
    "limit",
    "entity",
    "state",
    "severity",
    "crossed_at",
    "resolved_at",
    "used_usd",
    "used_nanousd",
    "limit_usd",
    "limit_nanousd",
    "unpriced",
    "window_start",
    "window_end",
    "acked_at",
    "acked_by",
    "snoozed_until",
)


class AlertExport:
    """Writes the alerts that are listed."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._files = FileExport(screen)

    def ask(self, rows: Sequence[AlertRow]) -> None:
        """Ask for the format; these rows are what is written, whatever is read until it is chosen."""
        options = (("c", f"CSV, all {len(rows)} that are listed"), ("l", f"JSON lines, all {len(rows)}"))
        self._screen.app.push_screen(ChooseScreen("Export to a file", options), partial(self._write, rows))

    def _write(self, rows: Sequence[AlertRow], key: str | None) -> None:
        if key is None:
            return

        def work(path: Path) -> int:
            return write_records(path, COLUMNS, map(record, rows))

        self._files.write(self._files.dated("alerts", FORMATS[key]), ("alert", "alerts"), work)


def record(row: AlertRow) -> dict[str, object]:
    """One alert as JSON values, named as `/alerts` names them; what it says was so when it spoke last."""
    values = (
        row.id,
        row.kind,
        row.limit_name,
        row.entity.raw,
        row.state,
        row.severity,
        to_iso(row.crossed_at),
        _instant(row.resolved_at),
        Usd.float_of(row.used),
        row.used.nano,
        Usd.float_of(row.limit),
        row.limit.nano,
        row.unpriced,
        to_iso(row.window_start),
        _instant(row.window_end),
        _instant(row.acked_at),
        None if row.acked_by is None else row.acked_by.raw,
        _instant(row.snoozed_until),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _instant(at: int | None) -> str | None:
    return None if at is None else to_iso(at)
