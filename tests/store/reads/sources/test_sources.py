from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.requests.request import SAME_CONTENT, Request, TimeSource
from spendtop.domain.sources.records import HELICONE, IMPORTED, INGEST, OTLP, SOURCES, Source
from spendtop.services import checkpoints, tokens
from spendtop.services.recording import missed_requests
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.reads.sources.sources import TREND_HOURS, SourceRow, Sources, _bytes, sources
from spendtop.store.statements import table_of
from spendtop.store.tables import TokenTable
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

NOW = START + 40 * DAY + 14 * HOUR + 20 * MINUTE
DAY_START = START + 40 * DAY


def read(store: Store, day_start: int = DAY_START) -> Sources:
    with store.reading() as connection:
        return sources(connection, day_start, NOW)


def of(found: Sources, source: Source) -> SourceRow:
    return next(row for row in found.sources if row.source is source)


def token(store: Store, value: str, **facts: Any) -> int:
    with store.writing() as connection:
        return tokens.create(connection, f"the {value}", START, value=value, **facts).id


def push(recorded: Recorded, ago: int, value: str = "web", **fields: Any) -> Request:
    return recorded.request(NOW - ago, source=INGEST, token=value, **fields)


def test_an_empty_store_has_all_sources_and_nothing_heard(store: Store) -> None:
    found = read(store)
    assert [row.source for row in found.sources] == [each for each in SOURCES.values() if each not in IMPORTED]
    assert {(row.last_at, row.today, row.last_minute, row.lag) for row in found.sources} == {(None, 0, 0, None)}
    assert (found.tokens, found.refusals, found.size.bodies_since) == ((), (), None)
    assert found.size.data is not None and found.size.data > 0


def test_the_last_event_is_the_latest_arrival_however_long_ago(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(NOW - 3 * SECOND, received_at=NOW - SECOND),
            recorded.request(NOW - 9 * SECOND, received_at=NOW - 2 * SECOND),
            push(recorded, 5 * HOUR, received_at=NOW - 4 * HOUR),
            push(recorded, 5 * HOUR + SECOND),
        ]
    )
    found = read(recorded.store)
    assert of(found, HELICONE).last_at == NOW - SECOND
    assert of(found, INGEST).last_at == NOW - 4 * HOUR
    assert of(found, OTLP).last_at is None


def test_what_is_over_a_day_old_is_told_to_the_hour(recorded: Recorded) -> None:
    token(recorded.store, "web")
    recorded.add([push(recorded, 3 * DAY)])
    found = read(recorded.store)
    hour = (NOW - 3 * DAY) // HOUR * HOUR
    assert (of(found, INGEST).last_at, found.tokens[0].last_at) == (hour, hour)


def test_counts_the_last_minute_and_the_day(recorded: Recorded) -> None:
    recorded.add(
        [
            push(recorded, 14 * HOUR + 21 * MINUTE),
            push(recorded, 14 * HOUR + 20 * MINUTE),
            push(recorded, 61 * SECOND),
            push(recorded, 9 * MINUTE, received_at=NOW - 59 * SECOND),
            push(recorded, 20 * SECOND),
        ]
    )
    row = of(read(recorded.store), INGEST)
    assert (row.last_minute, row.today) == (2, 4)
    assert row.trend == (0,) * (TREND_HOURS - 1) + (3,)


def test_a_history_that_is_read_is_no_rate_and_what_was_imported_is_said(recorded: Recorded) -> None:
    imported = recorded.request(NOW - 9 * SECOND, source=IMPORTED[0], received_at=NOW - SECOND)
    claude = SOURCES["claude-code"]
    scanned, followed = (
        recorded.request(NOW - age, source=claude, external_id=f"{age}", received_at=NOW - SECOND)
        for age in (40 * MINUTE, 20 * SECOND)
    )
    pushed = [push(recorded, 2 * HOUR, received_at=NOW - SECOND), push(recorded, 2 * SECOND)]
    recorded.add([*pushed, imported, scanned, followed])
    with recorded.store.writing() as connection:
        facts.note_import(connection, IMPORTED[0].name, NOW - MINUTE)
    found = read(recorded.store)
    assert (of(found, INGEST).last_minute, of(found, INGEST).imported) == (1, None)
    assert (of(found, claude).last_minute, of(found, claude).today) == (1, 2)
    row = of(found, IMPORTED[0])
    assert (row.imported, row.last_at, row.last_minute) == (1, NOW - MINUTE, 0)
    assert IMPORTED[1] not in [each.source for each in found.sources]


def test_a_day_that_begins_within_an_hour_is_exact(recorded: Recorded) -> None:
    day_start = DAY_START + 30 * MINUTE
    token(recorded.store, "web")
    token(recorded.store, "lab", shadow=True)
    recorded.add(
        [recorded.request(day_start + after, source=INGEST, token="web") for after in (-1, 0, HOUR)]
        + [recorded.request(day_start, source=INGEST, token="lab", counted=False)]
    )
    found = read(recorded.store, day_start)
    assert of(found, INGEST).today == 2
    assert [row.today for row in found.tokens] == [2, 1]


def test_tokens_tell_what_came_under_them_and_shadow_ones_what_is_not_counted(recorded: Recorded) -> None:
    web, lab, old = (token(recorded.store, name, shadow=name == "lab") for name in ("web", "lab", "old"))
    with recorded.store.writing() as connection:
        tokens.set_active(connection, old, False)
    recorded.add(
        [
            push(recorded, 2 * HOUR, "lab", counted=False),
            push(recorded, HOUR),
            push(recorded, SECOND),
            push(recorded, SECOND, "nobody's"),
        ]
    )
    found = read(recorded.store)
    assert [(row.id, row.active, row.shadow, row.today, row.last_minute) for row in found.tokens] == [
        (web, True, False, 2, 1),
        (lab, True, True, 1, 0),
        (old, False, False, 0, 0),
    ]
    assert [row.last_at for row in found.tokens] == [NOW - SECOND, NOW - 2 * HOUR, None]
    assert of(found, INGEST).today == 3


def test_repeats_are_counted_apart_from_the_assumed_ones(recorded: Recorded) -> None:
    sure, assumed = push(recorded, MINUTE), push(recorded, MINUTE, external_id=SAME_CONTENT + "x")
    recorded.add([sure, sure, assumed, assumed, assumed])
    row = of(read(recorded.store), INGEST)
    assert (row.today, row.repeats, row.assumed_repeats) == (2, 3, 2)


def test_a_source_whose_reports_join_those_of_others_is_heard(recorded: Recorded) -> None:
    same: dict[str, Any] = {"response_id": "chatcmpl-1", "model": "gpt-4o"}
    recorded.add([recorded.request(NOW - MINUTE, source=OTLP, **same), push(recorded, MINUTE, **same)])
    found = read(recorded.store)
    traced, pushed = of(found, OTLP), of(found, INGEST)
    assert (traced.today, traced.repeats, pushed.today, pushed.repeats) == (1, 0, 1, 0)
    assert pushed.last_at == NOW - NOW % HOUR


def test_refusals_are_told_by_hour_and_reason_the_newest_first(store: Store) -> None:
    with store.writing() as connection:
        for ago, counts in (
            (2 * HOUR, {("ingest", "ingest_bad_token"): 3}),
            (0, {("ingest", "a\x1b[2J/b"): 1, ("helicone", "rate_limited"): 2}),
            (0, {("ingest", "a\x1b[2J/b"): 1}),
            (2 * DAY, {("ingest", "invalid"): 9}),
        ):
            missed_requests.note_refusals(connection, counts, NOW - ago, 0)
    found = read(store)
    hour = NOW - NOW % HOUR
    assert [(r.source, r.reason.raw, r.hour, r.count) for r in found.refusals] == [
        ("helicone", "rate_limited", hour, 2),
        ("ingest", "a\x1b[2J/b", hour, 2),
        ("ingest", "ingest_bad_token", hour - 2 * HOUR, 3),
    ]
    assert (of(found, INGEST).refused, of(found, HELICONE).refused) == (5, 2)
    assert "\x1b" not in str(found.refusals[1].reason)


def test_pollers_gaps_of_a_week_and_the_share_that_was_pushed_are_told(recorded: Recorded) -> None:
    recorded.add([recorded.request(NOW - number * SECOND) for number in range(20)])
    with recorded.store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", NOW, complete_until=NOW + 1)
        missed_requests.note_gap(connection, "helicone", [recorded.request(NOW - HOUR)], NOW, NOW)
        missed_requests.note_gap(connection, "helicone", [recorded.request(NOW - 9 * DAY)], NOW + 1, NOW + 1)
    found = read(recorded.store)
    assert [(row.name, row.complete_until) for row in found.pollers] == [("helicone-api", NOW + 1)]
    assert [(gap.since, gap.requests) for gap in found.gaps] == [(NOW - HOUR, 1)]
    assert found.coverage is not None and found.coverage.percent == "95%"


def test_the_lag_is_what_95_percent_stayed_under_where_the_time_is_not_just_the_arrival(recorded: Recorded) -> None:
    recorded.add(
        [push(recorded, MINUTE, received_at=NOW - MINUTE + n * SECOND) for n in range(1, 101)]
        + [push(recorded, MINUTE, received_at=NOW, time_source=TimeSource.RECEIVED)]
        + [push(recorded, HOUR, received_at=NOW)]
    )
    found = read(recorded.store)
    assert of(found, INGEST).lag == 95 * SECOND
    assert of(found, HELICONE).lag is None


def test_tells_since_when_bodies_are_kept(recorded: Recorded) -> None:
    recorded.add([push(recorded, 3 * HOUR)])
    recorded.add([push(recorded, ago, request_body=b"{}") for ago in (2 * HOUR, HOUR)])
    assert read(recorded.store).size.bodies_since == pytest.approx(NOW - 2 * HOUR, abs=SECOND)


def test_names_from_elsewhere_are_clean_where_they_are_shown(store: Store) -> None:
    values = {"token": "web", "name": "the \x1b[2Jweb", "active": True, "shadow": False, "created_at": START}
    with store.writing() as connection:
        connection.execute(table_of(TokenTable).insert(), values)
    (row,) = read(store).tokens
    assert (f"{row.name}", row.name.raw) == ("the ␛[2Jweb", "the \x1b[2Jweb")


def test_the_size_of_a_file_that_is_away_is_not_known(tmp_path: Path) -> None:
    assert _bytes(tmp_path / "away.db") is None
