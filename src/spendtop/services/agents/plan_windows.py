"""What providers said last of the windows of plans on a machine: from agents' files, and from a status line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from spendtop.domain.agents.plan_windows import PlanWindow, newest
from spendtop.store import facts

FILE = "plan-windows.json"
"""In the data folder, as `spendtop statusline` writes it."""
_FACT = "plan windows "


def note(connection: Connection, host: str, windows: Sequence[PlanWindow]) -> None:
    """Keep what is newer than what is known."""
    before = _noted(connection, host)
    now = newest([*before, *windows])
    if now != before:
        facts.put(connection, _FACT + host, msgspec.json.encode(now).decode())


def known(connection: Connection, host: str, folder: Path) -> tuple[PlanWindow, ...]:
    """By agent, the shortest first; `folder` is where the status line leaves its word."""
    return tuple(newest([*_noted(connection, host), *_in_file(folder / FILE)]))


def _noted(connection: Connection, host: str) -> list[PlanWindow]:
    return msgspec.json.decode(facts.get(connection, _FACT + host) or "[]", type=list[PlanWindow])


def _in_file(path: Path) -> list[PlanWindow]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[PlanWindow])
    except (OSError, msgspec.DecodeError):
        return []
