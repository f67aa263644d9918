from __future__ import annotations

from sqlalchemy import select

from spendtop.domain.clock import HOUR
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services.alerting.evaluator import Evaluator, mark_crossed
from spendtop.services.limits.limit_book import LimitBook
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import LimitMarkTable
from tests.store.conftest import Recorded

NOW = 1_795_129_200_000_000


def limit(name: str, usd: int, window: str = "24h", each: Each | None = None) -> Limit:
    return Limit(name=name, window=parse_window(window), amount=Usd.of(usd), each=each)


def marked(store: Store, *limits: Limit) -> list[tuple[str, str, int, int, int]]:
    with store.writing() as connection:
        mark_crossed(connection, limits, LimitBook(limits, Calendar(), {}), NOW)
        return [tuple(row) for row in connection.execute(select(table_of(LimitMarkTable)))]


def test_a_limit_past_a_threshold_is_marked_and_one_below_is_not(store: Store) -> None:
    Recorded(store).add([Recorded(store).request(NOW - 1, Usd.of(8).nano)])
    hour = NOW - NOW % HOUR
    assert marked(store, limit("approaching", 10), limit("below", 11)) == [("approaching", "", hour, 0, NOW)]


def test_each_entity_is_marked_for_itself(store: Store) -> None:
    recorded = Recorded(store)
    users = {"ann": 5, "bob": 1, "eve": 9}
    recorded.add([recorded.request(NOW - 1, Usd.of(usd).nano, user_id=user) for user, usd in users.items()])
    found = marked(store, limit("each", 5, each=Each.USER))
    assert sorted(entity for _, entity, *_ in found) == ["ann", "eve"]


def test_everybody_past_a_threshold_is_marked_however_many_they_are(store: Store) -> None:
    recorded = Recorded(store)
    recorded.add([recorded.request(NOW - 1, Usd.of(9).nano, user_id=f"user {number}") for number in range(300)])
    for _ in range(2):  # also where they are marked already
        assert len(marked(store, limit("each", 10, each=Each.USER))) == 300


def test_limits_of_one_request_and_windows_that_are_over_are_not_marked(store: Store) -> None:
    Recorded(store).add([Recorded(store).request(NOW - 2 * HOUR, Usd.of(8).nano)])
    assert marked(store, limit("one", 1, "request"), limit("rolling", 1, "1h")) == []


def test_whether_there_are_marks_is_known(store: Store) -> None:
    evaluator = Evaluator(LimitBook((), Calendar(), {}), ())
    with store.reading() as connection:
        assert not evaluator.has_marks(connection, NOW)
    Recorded(store).add([Recorded(store).request(NOW - 1, Usd.of(8).nano)])
    assert marked(store, limit("a", 1))
    with store.reading() as connection:
        assert evaluator.has_marks(connection, NOW)
