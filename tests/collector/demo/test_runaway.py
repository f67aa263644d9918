"""An hour of the demo in simulated time: the usual goes on as before, one session runs away, is told of, and ends."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from heapq import merge
from itertools import groupby, takewhile
from pathlib import Path
from typing import NamedTuple

import pytest

from spendtop.collector import from_settings
from spendtop.collector.demo.runaway import EVERY, runaways
from spendtop.collector.demo.sample_files import CONFIG, sample_file
from spendtop.collector.demo.sample_month import full_hour, unpack
from spendtop.collector.demo.sample_stream import arrivals
from spendtop.config.load import load
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.alerting.evaluator import Evaluator
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from tests.waiting import DEADLINE

NOW = 1_800_000_000 * SECOND + 23 * MINUTE
STEP = 10 * SECOND


class Told(NamedTuple):
    """What was announced, and how many µs after the start."""

    after: int
    announcement: Announcement


class Hour(NamedTuple):
    store: Store
    told: list[Told]


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    """An hour of the demo, evaluated every ten seconds."""
    file: Path = tmp_path_factory.mktemp("demo") / "demo.db"
    unpack(file, NOW)
    store = Store(f"sqlite:///{file}")
    upgrade(store)
    settings = load(sample_file(CONFIG), sections=SECTIONS, environ={"SPENDTOP_TIME__ZONE": "UTC"}).settings
    prices = PublishedPrices()
    book = from_settings.book_of(settings, prices, NOW)
    recorder = Recorder(store, from_settings.preparer_of(settings, prices), book)
    recorder.start()
    evaluator, told = Evaluator(book, (), timer=lambda: 0.0), list[Told]()
    coming = merge(arrivals(full_hour(NOW)), runaways(NOW), key=lambda each: each.at)
    for step, arrived in groupby(takewhile(lambda each: each.at < NOW + HOUR, coming), lambda each: each.at // STEP):
        now = (step + 1) * STEP
        recorder.submit([each.request for each in arrived], lambda outcomes: None)
        announcements: list[Announcement] = []
        while recorder.run(partial(evaluator.has_marks, now=now)).result(DEADLINE):
            announcements += recorder.run(partial(evaluator.evaluate, now=now)).result(DEADLINE)
        announcements += recorder.run(partial(evaluator.revisit, now=now)).result(DEADLINE)
        told += [Told(now - NOW, each) for each in announcements]
    recorder.stop(DEADLINE)
    yield Hour(store, told)
    store.close()


def spent(store: Store, since: int) -> Usd:
    with store.reading() as connection:
        nano = connection.exec_driver_sql(
            f"SELECT sum(cost_nano) FROM request WHERE occurred_at >= {since} AND occurred_at < {since + HOUR}"
        ).scalar()
    return Usd(nano or 0) if nano else ZERO


def test_nothing_else_crosses_a_limit(hour: Hour) -> None:
    late = [told for told in hour.told if told.after > STEP]
    assert {told.announcement.message.limit_name for told in late} == {"runaway"}


def test_an_alert_fires_in_the_first_two_minutes_and_resolves_within_half_an_hour(hour: Hour) -> None:
    by_session: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for told in hour.told:
        by_session[told.announcement.message.entity][told.announcement.message.kind] = told.after
    first = by_session["fix-4107"]
    assert MINUTE / 2 < first["approaching"] < first["exceeded"] < 2 * MINUTE
    assert first["exceeded"] + 2 * MINUTE < first["resolved"] < 25 * MINUTE
    assert by_session["fix-4108"]["exceeded"] > EVERY > 30 * MINUTE


def test_its_requests_are_found_by_their_session(hour: Hour) -> None:
    with hour.store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT user_id, model, body_state, count(*) FROM request WHERE session_id = 'fix-4107' GROUP BY 1, 2, 3"
        ).all()
    assert [tuple(row) for row in rows] == [("hiro", "claude-opus-5-5", "stored", 26)]


def test_the_hour_costs_and_counts_as_hours_do_at_this_time(hour: Hour) -> None:
    now = spent(hour.store, NOW)
    for before in (spent(hour.store, NOW - HOUR), spent(hour.store, NOW - DAY)):
        assert 0.5 < float(now.share_of(before) or 0) < 3.5
    with hour.store.reading() as connection:
        happened = connection.exec_driver_sql("SELECT occurred_at, source FROM request").all()
    counts = Counter((row.occurred_at - NOW) // HOUR for row in happened)
    assert 0.6 < counts[0] / counts[-1] < 1.7
    assert 0.6 < counts[0] / counts[-24] < 1.7
