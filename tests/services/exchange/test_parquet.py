"""Days of Parquet files, as DuckDB reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec.structs import replace

from spendtop.domain.clock import DAY, HOUR, to_iso
from spendtop.domain.errors import CannotWrite
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import Cost, Reporter, Usage
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import COLUMNS, pages
from spendtop.services.exchange.parquet import ExportState, WrittenDays, export_days, read_state
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

CONTEXT = FilterContext(START, Calendar())
FIRST = START // DAY * DAY


@pytest.fixture
def recorded(store: Store) -> Recorded:
    return Recorded(store)


def export(recorded: Recorded, folder: Path, query: RequestQuery | None = None) -> WrittenDays:
    """As the command does, going on from what is in the folder."""
    state = read_state(folder) or ExportState("")
    steps = [*export_days(recorded.store, query or RequestQuery(), CONTEXT, folder, state)]
    return steps[-1] if steps else WrittenDays()


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    days = f"read_parquet('{folder}/day=*/*.parquet', hive_partitioning=true)"
    with duckdb.connect() as database:
        rows: list[tuple[Any, ...]] = database.sql(sql.replace("DAYS", days)).fetchall()
    return rows


def test_every_field_comes_out_with_its_type_and_money_is_exact(recorded: Recorded, tmp_path: Path) -> None:
    usage = Usage(prompt=10, completion=5, units={"web_searches": 2})
    recorded.add(
        [
            recorded.request(
                FIRST + HOUR,
                1_234_567_891,
                user_id="=ada\x1b",
                properties={"env": "prod"},
                usage=usage,
                provider_usage=pack({"prompt_tokens": 10}),
            ),
            recorded.request(FIRST + HOUR, None),
        ]
    )
    assert export(recorded, tmp_path).requests == 2
    (names,) = zip(*((row[0],) for row in ask(tmp_path, "describe select * exclude day from DAYS")), strict=True)
    assert names == COLUMNS
    row = ask(
        tmp_path,
        "select cost_usd::varchar, cost_nanousd, user_id, properties['env'], quantities['web_searches'], sources[1],"
        " epoch_us(occurred_at), provider_usage, cached, imported from DAYS where cost_usd is not null",
    )
    told = ("1.234567891", 1_234_567_891, "=ada\x1b", "prod", 2.0, "helicone", FIRST + HOUR)
    assert row == [(*told, '{"prompt_tokens": 10}', False, False)]
    assert ask(tmp_path, "select count(*), count(cost_usd), sum(cost_nanousd) from DAYS") == [(2, 1, 1_234_567_891)]


def test_days_are_partitions_and_only_those_that_changed_are_written_again(recorded: Recorded, tmp_path: Path) -> None:
    cost = Cost(reported=Usd(2_000), reported_by=Reporter.GATEWAY)
    late = recorded.request(FIRST + 2 * DAY, user_id="ada", usage=Usage(prompt=1, completion=1))
    recorded.add([recorded.request(FIRST), recorded.request(FIRST + DAY), replace(late, user_id=None)])
    assert export(recorded, tmp_path).days == 3
    assert export(recorded, tmp_path).days == 0
    recorded.add([recorded.request(FIRST + HOUR)])
    assert export(recorded, tmp_path) == WrittenDays(days=1, requests=2)
    recorded.add([late])  # its user comes late, and moves no total
    assert export(recorded, tmp_path) == WrittenDays(days=1, requests=1)
    recorded.add([replace(late, cost=cost)])
    assert export(recorded, tmp_path).days == 1
    days = ask(tmp_path, "select day::varchar, count(*), max(user_id) from DAYS group by day order by day")
    assert [(count, user) for _, count, user in days] == [(2, None), (1, None), (1, "ada")]
    assert days[0][0] == to_iso(FIRST)[:10]


def test_an_export_that_was_interrupted_goes_on_where_it_was(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.add([recorded.request(FIRST + day * DAY) for day in range(3)])

    def broken(store: Store, query: RequestQuery, context: FilterContext) -> Iterator[Any]:
        if query.since == FIRST + 2 * DAY:
            raise CannotWrite("The disk is full.")
        yield from pages(store, query, context)

    with monkeypatch.context() as patched:
        patched.setattr("spendtop.services.exchange.parquet.pages", broken)
        with pytest.raises(CannotWrite):
            export(recorded, tmp_path)
    assert ask(tmp_path, "select count(*) from DAYS") == [(2,)]
    assert not list(tmp_path.rglob("*.part"))
    assert export(recorded, tmp_path) == WrittenDays(days=1, requests=1)


def test_a_day_without_a_request_that_is_selected_has_no_file(recorded: Recorded, tmp_path: Path) -> None:
    recorded.add([recorded.request(FIRST, model="a"), recorded.request(FIRST + DAY, model="b")])
    export(recorded, tmp_path, RequestQuery(parse_filter("model:a")))
    assert [path.name for path in tmp_path.glob("day=*")] == [f"day={to_iso(FIRST)[:10]}"]
