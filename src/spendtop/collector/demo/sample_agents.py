"""A small home of coding agents, whose calls the demo reads as a collector reads those of a real one."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from spendtop.collector.agents.reading_loop import ReadingLoop
from spendtop.collector.demo.sample_files import AGENTS, sample_file
from spendtop.collector.setup import CompanionContext
from spendtop.collector.supervisor import Loop, pause
from spendtop.domain.clock import to_datetime

_AFTER = 4.0
"""Seconds that the screens have to open before anything is read."""
_MOMENT = re.compile(r'"(20\d\d-\d\d-\d\dT[\d:.]+)Z"')
_RESET = re.compile(r'"resets_at":(\d+)')


class _Home(Struct, frozen=True):
    at: datetime
    """All of it happened before."""
    files: dict[str, str]


def lay_out(folder: Path, now: int) -> None:
    """Write the home, its times moved to `now` (UTC µs)."""
    home = msgspec.json.decode(gzip.decompress(sample_file(AGENTS).read_bytes()), type=_Home)
    later = to_datetime(now) - home.at

    def moved(moment: re.Match[str]) -> str:
        at = datetime.fromisoformat(f"{moment[1]}+00:00") + later
        return f'"{at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}"'

    for name, text in home.files.items():
        file = folder / name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(_RESET.sub(lambda reset: _reset(int(reset[1]), later), _MOMENT.sub(moved, text)))


def _reset(seconds: int, later: timedelta) -> str:
    return f'"resets_at":{seconds + int(later.total_seconds())}'


def sample_agents(folder: Path) -> Callable[[CompanionContext], Loop]:
    """Lays the home out below `folder`, and follows it."""

    def companion(rooms: CompanionContext) -> Loop:
        async def run(stop: asyncio.Event) -> None:
            await pause(stop, _AFTER)
            if not stop.is_set():
                home = folder / "home"
                await asyncio.to_thread(lay_out, home, rooms.clock())
                await ReadingLoop(rooms, home, {}).run(stop)

        return run

    return companion
