"""Batches of each way in, from their bytes to the commit: in one thread, by the processor's seconds."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path
from statistics import median

from msgspec import Raw, Struct

from spendtop.collector.agents.stride import ALONE
from spendtop.collector.from_settings import preparer_of
from spendtop.collector.process.garbage import seldom_collected_garbage
from spendtop.config.settings import Settings, settings_class
from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.clock import DAY, SECOND
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Billing, Request, Restored
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.imports import GROUP
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer, Ready
from spendtop.services.recording.transaction import Recording
from spendtop.sources.agents.requests import Machine, request_of
from spendtop.sources.files import Format
from spendtop.sources.files.reading import READERS as FILES
from spendtop.sources.helicone_rows import RowReader
from spendtop.sources.helicone_rows import request_of as request_of_row
from spendtop.sources.pollers.helicone.access import HeliconeQueries
from spendtop.sources.receivers import Post
from spendtop.sources.registry import READERS
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds
from spendtop.store.schema import upgrade
from tests.benchmarks.filling import filled
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.moving import exported
from tests.benchmarks.pushing import BATCH, POSTS
from tests.benchmarks.reading import limits, no_price
from tests.benchmarks.workshop import Workshop
from tests.sources.pollers.fake_helicone import KEY, FakeHelicone

_REQUESTS = 20 * BATCH
_PAGE = 300
_RATE, _SHARE = 25_000, 0.5
_PATHS = {"/ingest": "ingest", "/litellm": "litellm", "/v1/traces": "otlp"}

Events = Sequence[Request | Restored]
Read = Callable[[], Iterator[Events]]
"""Reads the batches of one way anew, each when it is asked for."""


class _Taken(Struct, frozen=True):
    """Seconds of the processor for all requests, step by step."""

    read: float
    prepare: float
    record: float

    @property
    def whole(self) -> float:
        return self.read + self.prepare + self.record


def batches(workshop: Workshop) -> list[Figure]:
    """Requests of each way in per second of the processor, and against the writer with the same ones in its hands."""
    folder, settings = workshop.own("batches"), settings_class(SECTIONS)()
    prices = PublishedPrices()
    prices.load()
    numbers = count()
    usual = preparer_of(settings, prices)
    alone = Preparer(Pricer({}, None, no_price), None, keep_bodies=True)
    figures = []
    for name, read in _ways(folder, settings).items():
        in_hands = [list(events) for events in read()]
        with seldom_collected_garbage():
            gc.collect()
            gc.freeze()
            taken = in_turn(
                {
                    "writer": lambda: _taken(folder / f"{next(numbers)}.db", lambda: iter(in_hands), alone),  # noqa: B023
                    "whole": lambda: _taken(folder / f"{next(numbers)}.db", read, usual),  # noqa: B023
                },
                workshop.rounds,
            )
        say(f"  {name:<12} {_steps(taken['whole'])}; the writer alone {_steps(taken['writer'])}")
        rate = _REQUESTS / median(each.whole for each in taken["whole"])
        share = ratio([each.whole for each in taken["writer"]], [each.whole for each in taken["whole"]])
        figures.append(Figure(f"{name}: requests in a second of the processor", rate, _RATE, at_most=False, unit="/s"))
        figures.append(Figure(f"{name}: against the writer alone", share, _SHARE, at_most=False))
    return figures


def _steps(taken: Sequence[_Taken]) -> str:
    """µs for each request."""
    steps = {step: median(getattr(each, step) for each in taken) for step in _Taken.__struct_fields__}
    return ", ".join(f"{step} {seconds / _REQUESTS * 1e6:.1f}" for step, seconds in steps.items())


def _taken(path: Path, read: Read, preparer: Preparer) -> _Taken:
    """For all batches of a way, each committed by itself in a new store."""
    store, clock = Store(f"sqlite:///{path}"), time.process_time
    upgrade(store)
    recording = Recording(store.write_engine.dialect, RequestIds(0), LimitBook(limits(), Calendar(), {}), preparer.cost)
    prepared_for = recorded_for = 0.0
    stored = 0
    start = clock()
    for events in read():
        began = clock()
        ready: list[Ready] = [preparer.prepare(event) for event in events]
        prepared = clock()
        with store.writing() as connection:
            outcomes = recording.record(connection, ready)
        recorded_for += clock() - prepared
        prepared_for += prepared - began
        stored += sum(outcome.status == "stored" for outcome in outcomes)
    whole = clock() - start
    store.close()
    assert stored == _REQUESTS, f"{stored:,} of {_REQUESTS:,} are stored"
    return _Taken(whole - prepared_for - recorded_for, prepared_for, recorded_for)


def _ways(folder: Path, settings: Settings) -> Mapping[str, Read]:
    full = filled(folder / "filled.db", _REQUESTS)
    rows, calls = asyncio.run(_rows()), _calls()
    return {
        **{path: partial(_pushed, path, _posts(path, settings)) for path in _PATHS},
        "back-fill": partial(_of_rows, rows),
        **{
            f"import {each}": partial(_imported, each, exported(folder, full, each.value))
            for each in (Format.CSV, Format.JSONL)
        },
        "agents": partial(_of_calls, calls),
    }


def _posts(path: str, settings: Settings) -> list[Post]:
    posts = []
    for _ in range(_REQUESTS // BATCH):
        head, _, body = POSTS[path](BATCH).partition(b"\r\n\r\n")
        lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
        posts.append(Post(body, _now(), settings, {name.lower(): [value] for name, _, value in lines}, path))
    return posts


def _pushed(path: str, posts: Sequence[Post]) -> Iterator[Events]:
    receiver = READERS.batches[_PATHS[path]]()
    for post in posts:
        yield [item for item in receiver.read(post).items if isinstance(item, Request)]


async def _rows() -> list[Raw]:
    """What Helicone answers."""
    fake, now = FakeHelicone(), _now() // SECOND * SECOND
    fake.add_many([now - DAY + number * (DAY // 2 // _REQUESTS) for number in range(_REQUESTS)])
    rows: list[Raw] = []
    with fake.running():
        queries = HeliconeQueries(KEY, fake.url)
        while page := await queries.rows(now - 2 * DAY, now, len(rows), 1_000):
            rows += page
    return rows


def _of_rows(rows: Sequence[Raw]) -> Iterator[Events]:
    reader, now = RowReader(), _now()
    for start in range(0, len(rows), _PAGE):
        yield [request_of_row(reader.row(row, now), now) for row in rows[start : start + _PAGE]]


def _imported(held: Format, file: Path) -> Iterator[Events]:
    with file.open("rb") as lines:
        read = (each for each in FILES[held](lines, _now()) if isinstance(each, Request | Restored))
        while group := list(islice(read, GROUP)):
            yield group


def _calls() -> list[AgentCall]:
    """Of some months, as a first look at a home finds them."""
    now = _now()
    return [
        AgentCall(
            agent="claude-code",
            key=f"msg_{number}",
            occurred_at=now - number * (60 * DAY // _REQUESTS),
            begun_at=now - number * (60 * DAY // _REQUESTS),
            session=f"session-{number // 60}",
            provider="anthropic",
            model="claude-opus-4-6",
            counts=Counts(fresh=10, cache_read=500, output=300),
        )
        for number in range(_REQUESTS)
    ]


def _of_calls(calls: Sequence[AgentCall]) -> Iterator[Events]:
    machine, now = Machine("laptop", "mira"), _now()
    for start in range(0, len(calls), ALONE.most):
        yield [request_of(call, machine, Billing.API, now) for call in calls[start : start + ALONE.most]]


def _now() -> int:
    return time.time_ns() // 1000
