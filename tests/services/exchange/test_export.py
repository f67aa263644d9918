"""What leaves the store: one row as values, all that a query selects, CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

import msgspec
import pytest

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import (
    Basis,
    BodyState,
    Cost,
    Reporter,
    Request,
    Restored,
    ServiceLevel,
    Status,
    Usage,
)
from spendtop.domain.sources.records import INGEST
from spendtop.domain.spreadsheet import restored
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import COLUMNS, PAGE, csv_chunks, jsonl_chunks, pages, record
from spendtop.sources.files.exported import read_csv as read_exported_csv
from spendtop.sources.files.exported import read_jsonl
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import Order, RequestQuery
from spendtop.store.reads.rows import RequestRow
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

CONTEXT = FilterContext(START, Calendar())
HOSTILE = ["=1+1", "+x", "-1", "@x", "\t=", " =x", "＝x", 'a"b', "two\r\nlines", "nul␀", "\x1b[2J\u202e", "it's", "'=1"]


@pytest.fixture
def recorded(store: Store) -> Recorded:
    """Requests on both databases."""
    return Recorded(store)


def ids(recorded: Recorded, query: RequestQuery) -> list[int]:
    return [row.id for rows in pages(recorded.store, query, CONTEXT) for row in rows]


def all_rows(recorded: Recorded) -> list[RequestRow]:
    return [row for rows in pages(recorded.store, RequestQuery(), CONTEXT) for row in rows]


def read_csv(rows: Sequence[RequestRow]) -> list[dict[str, str]]:
    data = b"".join(csv_chunks([rows])).decode()
    return list(csv.DictReader(io.StringIO(data, newline="")))


def full(recorded: Recorded) -> Request:
    """A request that has everything."""
    cost = Cost(
        amount=Usd(5),
        basis=Basis.REPORTED,
        reported=Usd(5),
        reported_by=Reporter.CLIENT,
        computed=Usd(7),
        price_version="v",
        level_assumed=True,
        unpriced_units={"web_searches": 2},
        doubtful=True,
    )
    request = recorded.request(
        START,
        source=INGEST,
        time_suspect=True,
        response_id="chatcmpl-1",
        provider="openai",
        model="gpt-4o",
        http_status=200,
        usage=Usage(prompt=10, completion=5, cache_read=4, cache_write=1, reasoning=2, units={"web_searches": 2}),
        service_level=ServiceLevel.FLEX,
        inference_geo="us",
        served_model="gpt-4o-2024-08-06",
        provider_usage=pack({"prompt_tokens": 10}),
        user_id="alice",
        session_id="s",
        session_path="/a",
        token="app",
        properties={"env": "prod"},
        latency_ms=900,
        ttft_ms=100,
        counted=False,
        verified=True,
        body_state=BodyState.NOT_KEPT,
    )
    return msgspec.structs.replace(request, cost=cost)


class TestPages:
    @pytest.mark.parametrize("descending", [True, False])
    def test_hold_all_that_is_selected_once_in_time_order(self, recorded: Recorded, descending: bool) -> None:
        offsets = [0, 0, 5, 3 * HOUR, DAY, 40 * DAY, 39 * DAY, 7]
        made = recorded.add(recorded.request(START + offset) for offset in offsets)
        expected = sorted(zip(offsets, made, strict=True), reverse=descending)
        assert ids(recorded, RequestQuery(descending=descending)) == [each for _, each in expected]

    def test_go_on_behind_a_full_page(self, recorded: Recorded) -> None:
        made = recorded.add(recorded.request(START + number % 3) for number in range(PAGE + 20))
        assert sorted(ids(recorded, RequestQuery())) == made
        assert [len(rows) for rows in pages(recorded.store, RequestQuery(), CONTEXT)] == [PAGE, 20]

    def test_are_what_filter_and_span_select(self, recorded: Recorded) -> None:
        made = recorded.add(recorded.request(START + number, user_id=f"u{number % 2}") for number in range(6))
        query = RequestQuery(parse_filter("user:u1"), START + 2, START + 5)
        assert ids(recorded, query) == [made[3]]
        assert ids(recorded, RequestQuery(parse_filter("user:nobody"))) == []

    def test_keep_any_other_order(self, recorded: Recorded) -> None:
        made = recorded.add(recorded.request(START + cost, cost) for cost in (5, 9, 7))
        assert ids(recorded, RequestQuery(order=Order.COST)) == [made[1], made[2], made[0]]

    def test_hold_no_transaction_open_between_them(self, recorded: Recorded) -> None:
        recorded.add(recorded.request(START + number * DAY) for number in range(3))
        for rows in pages(recorded.store, RequestQuery(descending=False), CONTEXT):
            if rows:
                recorded.clear()
        assert ids(recorded, RequestQuery()) == []


class TestRecord:
    def test_has_every_column_in_order(self, recorded: Recorded) -> None:
        recorded.add([full(recorded)])
        values = record(all_rows(recorded)[0])
        assert tuple(values) == COLUMNS
        of_plans = ["billing", "api_equivalent_usd", "api_equivalent_nanousd"]
        assert [name for name, value in values.items() if value is None] == [
            "probable_twin_of",
            "token_name",
            *of_plans,
        ]
        assert (values["cost_usd"], values["cost_nanousd"], values["counted"]) == (5e-9, 5, False)

    def test_says_none_where_nothing_is_known(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START, None)])
        values = record(all_rows(recorded)[0])
        assert (values["cost_usd"], values["cost_nanousd"], values["total_tokens"]) == (None, None, None)


class TestCsv:
    def test_gives_back_every_text_exactly(self, recorded: Recorded) -> None:
        recorded.add(
            recorded.request(START + number, user_id=text, model=text, properties={text: text})
            for number, text in enumerate(HOSTILE)
        )
        rows = all_rows(recorded)
        for row, cells in zip(rows, read_csv(rows), strict=True):
            assert restored(cells["user_id"]) == (row.user_id or "")
            assert json.loads(restored(cells["properties"])) == row.properties
            assert not cells["user_id"].lstrip().startswith(("=", "+", "-", "@", "＝"))

    def test_numbers_stay_numbers_and_unknown_is_empty(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START, -5), recorded.request(START - 1, None)])
        known, unknown = read_csv(all_rows(recorded))
        assert (known["cost_nanousd"], known["cost_usd"]) == ("-5", "-0.000000005")
        assert (unknown["cost_nanousd"], unknown["cost_usd"], unknown["basis"]) == ("", "", "unknown")
        assert (known["counted"], known["properties"], known["sources"]) == ("true", "", '["helicone"]')

    def test_is_one_file_over_all_pages(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START), recorded.request(START - 40 * DAY)])
        data = b"".join(csv_chunks(pages(recorded.store, RequestQuery(), CONTEXT)))
        lines = data.split(b"\r\n")
        assert lines[0].decode() == ",".join(f'"{name}"' for name in COLUMNS)
        assert (len(lines), lines[-1]) == (4, b"")

    def test_has_its_header_without_any_request(self) -> None:
        assert b"".join(csv_chunks([])).count(b"\r\n") == 1
        assert b"".join(csv_chunks([(), ()])).count(b"\r\n") == 1


def test_json_lines_are_exact_and_safe_to_print(recorded: Recorded) -> None:
    recorded.add(recorded.request(START + number, user_id=f"{text}\x7f") for number, text in enumerate(HOSTILE))
    rows = all_rows(recorded)
    data = b"".join(jsonl_chunks([rows]))
    assert all(0x20 <= octet < 0x7F or octet == 0x0A for octet in data)
    assert [json.loads(line) for line in data.splitlines()] == [record(row) for row in rows]


def test_an_export_holds_all_that_a_request_is_restored_from(recorded: Recorded) -> None:
    requests = [
        full(recorded),
        recorded.request(
            START, None, user_id="'=1", session_id="\x1b\u202e", model="=1", properties={"=": "\x1b\\u001b"}
        ),
        recorded.request(START, -5, status=Status.CANCELLED, cached=True),
    ]
    recorded.add(requests)
    rows = all_rows(recorded)
    expected = {request.external_id: request for request in requests}
    for read, chunks in ((read_exported_csv, csv_chunks([rows])), (read_jsonl, jsonl_chunks([rows]))):
        found = list(read(io.BytesIO(b"".join(chunks)), START))
        assert len(found) == len(requests)
        for each in found:
            assert isinstance(each, Restored)
            original = expected[each.request.external_id]
            assert msgspec.structs.replace(each.request, properties=each.request.properties or None) == original
            assert each.external_ids == {original.source.name: original.external_id}
