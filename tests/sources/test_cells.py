from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from spendtop.domain.clock import SECOND
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.sources import cells

AT = 1_761_991_200 * SECOND
"""2025-11-01 10:00 UTC."""


@pytest.mark.parametrize(
    ("value", "micros", "had_zone"),
    [
        ("2025-11-01T10:00:00Z", AT, True),
        ("2025-11-01 12:00:00+02:00", AT, True),
        ("2025-11-01 10:00:00", AT, False),
        ("2025-11-01T10:00:00.250000", AT + 250_000, False),
        (datetime(2025, 11, 1, 10, tzinfo=UTC), AT, True),
        (datetime(2025, 11, 1, 12, tzinfo=timezone(timedelta(hours=2))), AT, True),
        (datetime.fromisoformat("2025-11-01T10:00:00"), AT, False),
        (date(2025, 11, 1), AT - 10 * 3600 * SECOND, False),
        (1_761_991_200, AT, True),
        (1_761_991_200.25, AT + 250_000, True),
        (1_761_991_200_250, AT + 250_000, True),
        ("1761991200", AT, True),
        (Decimal("1761991200.25"), AT + 250_000, True),
    ],
)
def test_times_of_all_kinds(value: object, micros: int, had_zone: bool) -> None:
    assert cells.instant(value) == (micros, had_zone)


@pytest.mark.parametrize("value", [None, "", "soon", True, -1, math.inf, math.nan, "1969-01-01", b"x", [], "9" * 400])
def test_no_time_is_refused(value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        cells.instant(value)


@pytest.mark.parametrize(
    ("value", "nano"),
    [
        (0.25, 250_000_000),
        ("0.25", 250_000_000),
        ("$1", 1_000_000_000),
        (Decimal("1e-9"), 1),
        (3, 3_000_000_000),
        (0, 0),
    ],
)
def test_amounts_of_all_kinds(value: object, nano: int) -> None:
    assert cells.dollars(value) == Usd(nano)


@pytest.mark.parametrize("value", ["x", math.nan, math.inf, True, b"1", 1e300, "1,5"])
def test_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        cells.dollars(value)


@pytest.mark.parametrize(("value", "tokens"), [(7, 7), (7.0, 7), ("7", 7), (Decimal(7), 7), (None, None), ("", None)])
def test_tokens_of_all_kinds(value: object, tokens: int | None) -> None:
    assert cells.tokens(value) == tokens


@pytest.mark.parametrize("value", [-1, 1.5, "x", True, 2**63, math.nan])
def test_no_number_of_tokens_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        cells.tokens(value)


@pytest.mark.parametrize(
    ("value", "error", "found"),
    [
        (None, None, (Status.OK, None)),
        (200, None, (Status.OK, 200)),
        ("429", None, (Status.ERROR, 429)),
        ("Success", "", (Status.OK, None)),
        ("failed", None, (Status.ERROR, None)),
        ("canceled", None, (Status.CANCELLED, None)),
        (200, "timeout", (Status.ERROR, 200)),
        ("9" * 400, None, (Status.OK, None)),
    ],
)
def test_how_it_ended(value: object, error: object, found: tuple[Status, int | None]) -> None:
    assert cells.status(value, error) == found


@pytest.mark.parametrize(
    ("value", "on"), [(1, True), (None, True), ("true", True), (0, False), ("f", False), (False, False)]
)
def test_switches(value: object, on: bool) -> None:
    assert cells.is_on(value) is on


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (None, None),
        ("", None),
        ("Hi", b'"Hi"'),
        ('{"a": 1}', b'{"a": 1}'),
        (b"[1]", b"[1]"),
        ({"a": Decimal(1)}, b'{"a":"1"}'),
        ("{" * 5_000, b'"' + b"{" * 5_000 + b'"'),
    ],
)
def test_bodies_are_json(value: object, raw: bytes | None) -> None:
    assert cells.body(value) == raw


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('{"a": 1, "b": "x"}', {"a": "1", "b": "x"}),
        ({"a": None}, {"a": "null"}),
        ("[1]", None),
        ("x", None),
        ("{}", None),
    ],
)
def test_properties_are_texts(value: object, found: dict[str, str] | None) -> None:
    assert cells.properties(value) == found


def test_names_and_durations() -> None:
    assert cells.name(" alice ") == "alice"
    assert cells.name(7) == "7"
    assert cells.name(b"\xff") == "\ufffd"
    assert cells.name("") is None
    assert cells.milliseconds(12.6) == 13
    assert cells.milliseconds(-1) is None
    assert cells.milliseconds("x") is None
