"""What a raise adds to a limit, and which ends people can name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from spendtop.domain.clock import to_micros
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.raises import Raise, Raises, end_of, falls_of
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window

BERLIN = Calendar("Europe/Berlin")
NOW = to_micros(datetime(2026, 11, 20, 19, 30, tzinfo=UTC))
"""20:30 in Berlin, a Friday."""
EACH = Limit(name="each user", window=parse_window("day"), amount=Usd.of(50), each=Each.USER)


def a_raise(amount: int, entity: str | None = None, name: str = "each user") -> Raise:
    return Raise(id=1, limit_name=name, entity=entity, amount=Usd.of(amount), since=0, until=1)


def test_raises_of_a_limit_and_of_one_entity_add_up_and_others_do_not_count() -> None:
    raises = Raises((a_raise(20), a_raise(5, "ada"), a_raise(100, "bob"), a_raise(1_000, None, "daily")))
    assert raises.raised(EACH, "ada").amount == Usd.of(75)
    assert raises.raised(EACH, "carol").amount == Usd.of(70)
    assert raises.raised(EACH, "ada").threshold(0.8) == Usd.of(60)
    assert Raises().raised(EACH, "ada") is EACH


def test_raises_end_one_after_the_other() -> None:
    first, last = replace(a_raise(5), until=NOW + 1), replace(a_raise(20), until=NOW + 9)
    assert falls_of(Usd.of(75), (last, first)) == ((NOW + 1, Usd.of(70)), (NOW + 9, Usd.of(50)))
    assert falls_of(Usd.of(50), ()) == ()


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("tomorrow", "2026-11-21 00:00"),
        (" Tonight ", "2026-11-21 00:00"),
        ("week", "2026-11-23 00:00"),
        ("month", "2026-12-01 00:00"),
        ("2h", "2026-11-20 22:30"),
        ("23:15", "2026-11-20 23:15"),
        ("18:00", "2026-11-21 18:00"),
        ("2026-12-24", "2026-12-24 00:00"),
        ("2026-12-24T12:00", "2026-12-24 12:00"),
        ("2026-12-24T12:00Z", "2026-12-24 13:00"),
    ],
)
def test_an_end_is_named_as_people_do(text: str, local: str) -> None:
    assert f"{BERLIN.local(end_of(text, NOW, BERLIN)):%Y-%m-%d %H:%M}" == local


@pytest.mark.parametrize("text", ["", "yesterday", "-2h", "soon", "+20", "2026-13-01", "14:00..15:00"])
def test_what_is_no_end_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="tonight, tomorrow"):
        end_of(text, NOW, BERLIN)
