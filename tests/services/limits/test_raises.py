"""Raising a limit for a while: what it says then, and once that is over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.limits.limit import Each, LimitState
from spendtop.domain.limits.raises import LONGEST
from spendtop.domain.money import Usd
from spendtop.services.limits import raises
from spendtop.store.reads.limits.raises import raises_in_force
from spendtop.store.reads.limits.uses import uses
from spendtop.store.statements import table_of
from spendtop.store.tables import LimitRaiseTable
from tests.services.conftest import Collecting, limit, said

Make = Callable[..., Collecting]


def raised(spending: Collecting, usd: int, length: int, entity: str | None = None) -> int:
    """Raise the first limit for so long; the raise's id."""
    now = spending.clock()
    with spending.store.writing() as connection:
        return raises.raise_limit(
            connection, spending.book.limits[0], entity, Usd.of(usd), now + length, now, "ada\x1b"
        ).id


def stands(spending: Collecting) -> list[tuple[str, str, LimitState]]:
    with spending.store.reading() as connection:
        found = uses(connection, spending.book.limits, spending.book.calendar, spending.clock())
    return [(use.entity.raw, str(use.limit.amount), use.state) for use in found]


def revisited(spending: Collecting, after: int) -> list[str]:
    spending.clock.advance(after)
    heard = said(spending.revisit())
    return heard + said(spending.evaluate())


def test_an_exceeded_limit_that_is_raised_resolves_and_speaks_again_when_the_raise_ends(collecting: Make) -> None:
    spending = collecting(limit(usd=10))
    assert spending.spend(11) == ["exceeded daily"]
    raised(spending, 20, HOUR)
    assert stands(spending) == [("", "$30.00", LimitState.OK)]
    assert revisited(spending, 1) + revisited(spending, MINUTE) == ["resolved daily"]
    assert spending.spend(2) == []
    assert revisited(spending, HOUR) == ["exceeded daily"]  # by itself, without any request
    assert stands(spending) == [("", "$10.00", LimitState.EXCEEDED)]
    assert revisited(spending, MINUTE) == []
    assert str(spending.told()[-1].limit_nano) == "10000000000"


def test_a_raise_of_one_entity_leaves_the_others_and_its_own_thresholds_move(collecting: Make) -> None:
    spending = collecting(limit("each user", usd=10, each=Each.USER))
    until = spending.clock() + DAY
    raised(spending, 10, DAY, "ada")
    assert spending.spend(12, user_id="ada") == []
    assert spending.spend(12, user_id="bob") == ["exceeded each user bob"]
    assert spending.spend(4, user_id="ada") == ["approaching each user ada"]
    of_bob, of_ada = spending.told()
    assert (of_bob.raised_nano, of_bob.raised_until) == (0, None)
    assert (of_ada.raised_nano, of_ada.raised_until) == (10_000_000_000, until)
    assert {entity: amount for entity, amount, _ in stands(spending)} == {"ada": "$20.00", "bob": "$10.00"}


def test_one_that_is_taken_back_ends_at_once_and_only_once(collecting: Make) -> None:
    spending = collecting(limit(usd=10))
    raise_id = raised(spending, 20, DAY)
    assert spending.spend(15) == []
    with spending.store.writing() as connection:
        raises.take_back(connection, raise_id, spending.clock())
        assert raises_in_force(connection, spending.clock()).all == ()
    assert revisited(spending, 1) == ["exceeded daily"]
    with spending.store.writing() as connection, pytest.raises(UsageError, match="ended already"):
        raises.take_back(connection, raise_id, spending.clock())


@pytest.mark.parametrize(
    ("usd", "length", "entity", "words"),
    [
        (0, HOUR, None, "more than \\$0"),
        (-5, HOUR, None, "more than \\$0"),
        (2_000_000_000, HOUR, None, "at most"),
        (20, 0, None, "ends in the future"),
        (20, LONGEST + 1, None, "within a year"),
        (20, HOUR, "ada", "without naming anybody"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    collecting: Make, usd: int, length: int, entity: str | None, words: str
) -> None:
    spending = collecting(limit(usd=10))
    with pytest.raises(UsageError, match=words):
        raised(spending, usd, length, entity)
    with spending.store.reading() as connection:
        assert connection.execute(table_of(LimitRaiseTable).select()).all() == []


def test_a_limit_is_found_by_its_name_or_the_nearest_is_named() -> None:
    limits = (limit("daily"), limit("each user"))
    assert raises.limit_named(limits, "daily") is limits[0]
    with pytest.raises(UsageError, match="Did you mean 'each user'"):
        raises.limit_named(limits, "each usr")
