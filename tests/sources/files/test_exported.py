from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.clock import HOUR, MINUTE, SECOND, to_iso
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, BodyState, Request, Restored, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE
from spendtop.sources import unknown_fields
from spendtop.sources.files.exported import read_csv, read_jsonl
from spendtop.sources.skipped import NoCall, Skipped

NOW = 1_795_197_060 * SECOND
ROW: dict[str, Any] = {
    "id": "114892611840000001",
    "external_ids": {"ingest": "mine", "helicone": "theirs"},
    "occurred_at": to_iso(NOW - HOUR),
    "time_source": "provider",
    "received_at": to_iso(NOW - HOUR + 5),
    "provider": "openai",
    "model": "gpt-4o",
    "status": "error",
    "http_status": 500,
    "user_id": "alice",
    "properties": {"env": "prod"},
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "cached_tokens": 3,
    "latency_ms": 930,
    "cost_usd": 0.000000001,
    "cost_nanousd": 1,
    "basis": "computed",
    "reported_cost_usd": -0.5,
    "computed_cost_usd": 1e-09,
    "verified": True,
    "sources": ["helicone", "ingest"],
    "counted": False,
    "body_state": "stored",
    "price_version": "own",
    "a column of a later version": 1,
}


def jsonl(*rows: object) -> list[Request | Restored | Skipped | NoCall]:
    return list(read_jsonl([json.dumps(row).encode() for row in rows], NOW))


def as_csv(rows: Iterable[dict[str, Any]]) -> list[bytes]:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(ROW), quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell(value) for name, value in row.items()})
    return [line.encode() for line in file.getvalue().splitlines(keepends=True)]


def cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value)
    return "" if value is None else str(value)


def problems(found: Iterable[object]) -> list[tuple[str, str]]:
    return [(each.place, each.field) for each in found if isinstance(each, Skipped)]


@pytest.mark.parametrize("read", [lambda: jsonl(ROW), lambda: list(read_csv(as_csv([ROW]), NOW))])
def test_a_line_is_a_request_with_its_sources_merged_and_its_cost_decided(read: Any) -> None:
    (found,) = read()
    assert isinstance(found, Restored)
    assert found.external_ids == {"ingest": "mine", "helicone": "theirs"}
    request = found.request
    assert (request.source, request.external_id) == (HELICONE, "theirs")
    assert (request.occurred_at, request.received_at) == (NOW - HOUR, NOW - HOUR + 5)
    assert (request.time_source, request.status, request.http_status) == (TimeSource.PROVIDER, Status.ERROR, 500)
    assert request.usage == Usage(prompt=10, completion=5, cache_read=3)
    cost = request.cost
    assert (cost.amount, cost.basis, cost.reported, cost.computed) == (
        Usd(1),
        Basis.COMPUTED,
        Usd(-500_000_000),
        Usd(1),
    )
    assert (cost.price_version, request.properties) == ("own", {"env": "prod"})
    assert (request.verified, request.counted, request.cached) == (True, False, False)
    assert request.user_id == "alice"
    assert request.session_id is None


def test_a_body_that_stayed_behind_is_not_kept_here() -> None:
    (found,) = jsonl(ROW)
    assert isinstance(found, Restored)
    assert found.request.body_state is BodyState.NOT_KEPT


WRONG: list[tuple[str, object]] = [
    ("external_ids", {}),
    ("external_ids", {"nobody": "1"}),
    ("external_ids", {"helicone": ""}),
    ("external_ids", "secret"),
    ("occurred_at", "2026-11-20T10:00:00"),
    ("occurred_at", "yesterday"),
    ("occurred_at", to_iso(NOW + 6 * MINUTE)),
    ("occurred_at", "0001-01-01T00:00:00Z"),
    ("received_at", "9999-01-01T00:00:00Z"),
    ("time_source", "secret"),
    ("status", "secret"),
    ("http_status", 2**40),
    ("properties", {"a": 1}),
    ("prompt_tokens", -1),
    ("prompt_tokens", 2**63),
    ("completion_tokens", 1.5),
    ("cost_nanousd", 2**62),
    ("cost_nanousd", None),
    ("basis", "unknown"),
    ("reported_cost_usd", "NaN"),
    ("computed_cost_usd", "1e999"),
    ("verified", "perhaps"),
    ("latency_ms", -1),
    ("body_state", "secret"),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_named_with_its_line_and_never_shown(field: str, value: object) -> None:
    named = "cost_nanousd" if field == "basis" else field
    bad = {**ROW, field: value}
    for found in (jsonl(ROW, bad, ROW), list(read_csv(as_csv([ROW, bad, ROW]), NOW))):
        assert [type(each) for each in found] == [Restored, Skipped, Restored]
        assert isinstance(found[1], Skipped)
        assert found[1].field == named
        assert "secret" not in str(found[1])
        assert "has to be " in str(found[1])
    assert problems(jsonl(ROW, bad)) == [("line 2", named)]
    assert problems(read_csv(as_csv([ROW, bad]), NOW)) == [("line 3", named)]


@pytest.mark.parametrize("field", ["external_ids", "occurred_at", "received_at", "time_source", "status", "basis"])
def test_what_makes_a_request_has_to_be_there(field: str) -> None:
    assert problems(jsonl({name: value for name, value in ROW.items() if name != field})) == [("line 1", field)]


@pytest.mark.parametrize("line", [b"{", b"[]", b"17", b"null", b"\xff\xfe", b'{"a":' * 5_000, b'"\\ud800"'])
def test_a_line_that_is_no_object_is_skipped_and_the_next_one_read(line: bytes) -> None:
    good = json.dumps(ROW).encode()
    assert [type(each) for each in read_jsonl([line, b"\n", good], NOW)] == [Skipped, Restored]


def test_a_record_over_several_lines_is_named_by_its_first() -> None:
    lines = as_csv([{**ROW, "user_id": "two\r\nlines"}, {**ROW, "status": "no"}])
    assert problems(read_csv(lines, NOW)) == [("line 4", "status")]


def test_a_record_with_other_cells_than_the_header_is_skipped() -> None:
    lines = as_csv([ROW])
    found = list(read_csv([lines[0], b'"a","b"\r\n', lines[1]], NOW))
    assert [type(each) for each in found] == [Skipped, Restored]


def test_a_cell_longer_than_any_is_skipped() -> None:
    lines = as_csv([ROW])
    found = list(read_csv([lines[0], b'"' + b"x" * 200_000 + b'"\r\n', lines[1]], NOW))
    assert [type(each) for each in found] == [Skipped, Restored]


def test_a_byte_order_mark_and_an_order_of_ones_own_are_no_matter() -> None:
    turned = [dict(reversed(ROW.items()))]
    header, line = as_csv(turned)
    (found,) = read_csv([b"\xef\xbb\xbf" + header, line], NOW)
    assert isinstance(found, Restored)


@given(st.lists(st.binary()))
def test_no_bytes_break_the_readers(lines: list[bytes]) -> None:
    header = as_csv([])
    assert all(isinstance(each, Skipped) for each in read_jsonl(lines, NOW))
    assert all(isinstance(each, Skipped) for each in read_csv([*header, *lines], NOW))


def test_columns_that_nobody_knows_are_told_of() -> None:
    with unknown_fields.collecting() as names:
        jsonl(ROW, ROW)
        list(read_csv(as_csv([ROW]), NOW))
    assert names == {"a column of a later version": 3}
