"""Reading what Helicone has into an empty store, against the writer with the same requests in its hands."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from statistics import median

from spendtop.domain.clock import DAY
from spendtop.domain.requests.request import Request
from spendtop.sources.pollers.helicone.requests import HeliconeApi
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.moving import recorded
from tests.benchmarks.processes import collector
from tests.benchmarks.workshop import Workshop
from tests.sources.pollers.fake_helicone import KEY, FakeHelicone

_REQUESTS = 100_000
_LOOK_SECONDS = 0.02
_PATIENCE = 900.0


def backfills(workshop: Workshop) -> list[Figure]:
    """A collector's first poll of 100,000 requests, over HTTP, against the raw group commit of the same."""
    folder = workshop.own("backfills")
    numbers = count()
    fake, now = FakeHelicone(), time.time_ns() // 1000
    fake.add_many([now - DAY - number * (10 * DAY // _REQUESTS) for number in range(_REQUESTS)])
    with fake.running():
        events = asyncio.run(_read(fake.url, now))
        assert len(events) == _REQUESTS
        seconds = in_turn(
            {
                "raw": lambda: recorded(folder / f"raw-{next(numbers)}.db", events),
                "back-fill": lambda: _filled(folder, folder / f"filled-{next(numbers)}.db", fake.url),
            },
            workshop.rounds,
        )
    for name, found in seconds.items():
        say(f"  {name:<10} {_REQUESTS / median(found):8.0f} requests/s")
    value = ratio(seconds["raw"], seconds["back-fill"])
    return [Figure(f"back-fill of {_REQUESTS:,} against the raw group commit", value, 0.5, at_most=False)]


async def _read(url: str, now: int) -> list[Request]:
    """All requests as the poller gives them, with their bodies."""
    api = HeliconeApi(KEY, url, backfill=30 * DAY, known=lambda since, until: (0, 0))
    found: dict[str, Request] = {}
    cursor, more = None, True
    while more:
        page = await api.step(cursor, now)
        found |= {each.external_id: each for each in page.requests}
        cursor, more = page.cursor, page.more
    return list(found.values())


def _filled(folder: Path, path: Path, url: str) -> float:
    """Seconds from the collector's readiness to its last request."""
    helicone = {"SPENDTOP_HELICONE__API_KEY": KEY, "SPENDTOP_HELICONE__BASE_URL": url}
    with collector(folder, path, helicone):
        start = time.perf_counter()
        with closing(sqlite3.connect(path)) as connection:
            while connection.execute("SELECT count(*) FROM request_key").fetchone()[0] < _REQUESTS:
                assert time.perf_counter() - start < _PATIENCE, "the back-fill does not end"
                time.sleep(_LOOK_SECONDS)
        return time.perf_counter() - start
