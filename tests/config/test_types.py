from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from spendtop.config.types import (
    Amount,
    Duration,
    HttpUrl,
    Price,
    Secret,
    Size,
    Surroundings,
    duration_text,
    kind_of,
    size_text,
)
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.money import Usd

AMOUNT: TypeAdapter[Usd] = TypeAdapter(Amount)
DURATION: TypeAdapter[int] = TypeAdapter(Duration)
SECRET: TypeAdapter[SecretStr] = TypeAdapter(Secret)


@pytest.mark.parametrize(
    ("written", "dollars"),
    [
        (100, "100"),
        (10.5, "10.5"),
        (0.1, "0.1"),
        (Decimal("0.000000001"), "0.000000001"),
        ("$50", "50"),
        ("50 USD", "50"),
        ("50usd", "50"),
        ("$ 1,250.75", "1250.75"),
        (" 7 ", "7"),
    ],
)
def test_amounts_are_read_exactly(written: object, dollars: str) -> None:
    assert AMOUNT.validate_python(written) == Usd.of(dollars)


@pytest.mark.parametrize("written", [0, -1, True, None, [], "five", "1e3", "5 EUR", "1,2", float("inf"), 10**12])
def test_what_is_no_positive_amount_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        AMOUNT.validate_python(written)


def test_prices_may_be_zero_and_stay_exact() -> None:
    price: TypeAdapter[Decimal] = TypeAdapter(Price)
    assert price.validate_python(0) == 0
    assert price.validate_python("0.0375") == Decimal("0.0375")
    with pytest.raises(ValidationError, match="must not be negative"):
        price.validate_python(-1)


@pytest.mark.parametrize(
    ("text", "micros"), [("90s", 90 * SECOND), ("5m", 5 * MINUTE), ("1h", HOUR), ("7d", 7 * DAY), ("250ms", 250_000)]
)
def test_durations_are_microseconds_and_back(text: str, micros: int) -> None:
    assert DURATION.validate_python(text, context=Surroundings()) == micros
    assert DURATION.validate_python(duration_text(micros)) == micros


def test_code_may_give_microseconds_where_a_file_may_not() -> None:
    assert DURATION.validate_python(5 * MINUTE) == 5 * MINUTE
    with pytest.raises(ValidationError, match="must be a duration"):
        DURATION.validate_python(300, context=Surroundings())


@pytest.mark.parametrize("written", ["0s", "5", "m5", "-5m", 0, -1, True, 1.5, None])
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(written)


def test_secrets_resolve_references(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" from file\n")
    around = Surroundings({"NAME": "from variable"}, tmp_path)
    for text, value in [("plain", "plain"), ("env:NAME", "from variable"), ("file:key", "from file"), ("", "")]:
        assert SECRET.validate_python(text, context=around).get_secret_value() == value
    assert SECRET.validate_python(f"file:{tmp_path / 'key'}").get_secret_value() == "from file"
    assert "from" not in repr(around)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("env:NOPE", "NOPE is not set"),
        ("env:", "no name"),
        ("file:nope", "nope: No such file"),
        ("file:.", "directory"),
    ],
)
def test_a_dangling_reference_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        SECRET.validate_python(text, context=Surroundings({"OTHER": "x"}, tmp_path))


def test_addresses_lose_their_trailing_slash_and_carry_no_credentials() -> None:
    url: TypeAdapter[str] = TypeAdapter(HttpUrl)
    assert url.validate_python("https://example.org/") == "https://example.org"
    for wrong in ("example.org", "ftp://x", "https://", "https://u:p@h", "https://h/?key=x"):
        with pytest.raises(ValidationError):
            url.validate_python(wrong)


EVERY_KIND: tuple[object, ...] = (True, 1, Decimal(1), "", "x", [], {})


def test_kinds_tell_true_from_one() -> None:
    assert [kind_of(value) for value in EVERY_KIND] == [
        "true/false",
        "a whole number",
        "a number",
        "empty text",
        "text",
        "a list",
        "a table",
    ]


SIZE: TypeAdapter[int] = TypeAdapter(Size)


@pytest.mark.parametrize(
    ("text", "size"), [("200MB", 200_000_000), ("1.5 gb", 1_500_000_000), ("64KiB", 65_536), ("7B", 7), ("0MB", 0)]
)
def test_sizes_are_bytes_and_back(text: str, size: int) -> None:
    assert SIZE.validate_python(text) == size
    assert SIZE.validate_python(size_text(size)) == size


@pytest.mark.parametrize("written", ["200", "-1MB", "many", "1XB", True, 1.5, None, "", "1e9B"])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="must be a size"):
        SIZE.validate_python(written)


def test_in_a_file_only_nothing_needs_no_unit() -> None:
    assert SIZE.validate_python(0, context=Surroundings()) == 0
    with pytest.raises(ValidationError, match="must be a size"):
        SIZE.validate_python(200, context=Surroundings())
