from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.domain.errors import UsageError
from spendtop.domain.sources.records import HELICONE_API
from spendtop.store.engine import Store
from spendtop.store.ids import SLOTS
from spendtop.store.reads.alerts.attention import AlertRow
from spendtop.store.reads.change_feed import News, Position, news_after, now_at
from spendtop.store.reads.rows import RequestRow
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, RevisionTable
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

START_OF_ALL = Position()


def after(store: Store, position: Position, now: int = START + HOUR, most: int = 100) -> News:
    with store.reading() as connection:
        return news_after(connection, position, now, most)


def here(store: Store) -> Position:
    with store.reading() as connection:
        return now_at(connection)


def ids(news: News) -> list[int]:
    return [each.what.id for each in news.happened]


def followed(store: Store, position: Position, most: int) -> Iterator[News]:
    while True:
        news = after(store, position, most=most)
        yield news
        position = news.position
        if not news.more:
            return


def put_alert(store: Store, changed_at: int, **fields: Any) -> None:
    values = {
        "rule": f"limit/{changed_at}",
        "entity": "",
        "window_start": 0,
        "state": "approaching",
        "severity": "warning",
        "version": 0,
        "announced": 0.8,
        "spoke": 1,
        "used_nano": 1,
        "limit_nano": 1,
        "unpriced": 0,
        "crossed_at": changed_at,
        "late": False,
        "falls": 0,
        "opened_at": changed_at,
        "updated_at": changed_at,
        **fields,
    }
    with store.writing() as connection:
        connection.execute(insert(table_of(AlertTable)).values(values))


def put_revision(store: Store, number: int, request_id: int, at: int) -> None:
    values = {"id": number, "request_id": request_id, "at": at, "source": "ingest", "changes": "{}"}
    with store.writing() as connection:
        connection.execute(insert(table_of(RevisionTable)).values(values))


positions = st.builds(
    Position,
    st.dictionaries(st.integers(0, SLOTS - 1), st.integers(0, 2**63 - 1)),
    st.integers(0, 2**31),
    st.integers(0, 2**50),
)


class TestPosition:
    @given(positions)
    def test_is_read_as_it_was_written(self, position: Position) -> None:
        assert Position.read(str(position)) == position

    @pytest.mark.parametrize(
        "text", ["", "1", "//", "64:1/0/0", "1:9223372036854775808/0/0", "1:1/0/-1", "1:1,/0/0", "1:1/0/0\n", "a:1/0/0"]
    )
    def test_refuses_what_was_never_written(self, text: str) -> None:
        with pytest.raises(UsageError, match="none that was given"):
            Position.read(text)


class TestRequests:
    def test_what_came_before_the_start_is_not_told(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START)])
        position = here(recorded.store)
        assert after(recorded.store, position) == News((), position, False)

    def test_each_new_one_comes_once_whatever_its_own_time(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START)])
        position = here(recorded.store)
        added = recorded.add([recorded.request(START - HOUR, received_at=START + number) for number in range(5)])
        news = after(recorded.store, position)
        assert ids(news) == added
        assert after(recorded.store, news.position).happened == ()

    def test_goes_on_behind_any_of_them(self, recorded: Recorded) -> None:
        added = recorded.add([recorded.request(START + number) for number in range(5)])
        news = after(recorded.store, START_OF_ALL)
        for number, each in enumerate(news.happened):
            assert ids(after(recorded.store, each.position)) == added[number + 1 :]

    def test_many_come_in_pieces(self, recorded: Recorded) -> None:
        added = recorded.add([recorded.request(START + number) for number in range(7)])
        pieces = list(followed(recorded.store, START_OF_ALL, most=3))
        assert [ids(piece) for piece in pieces] == [added[:3], added[3:6], added[6:]]

    def test_a_collector_that_commits_late_is_heard(self, postgres_store: Store) -> None:
        one, other = Recorded(postgres_store), Recorded(postgres_store, slot=9)
        one.add([one.request(START)])
        (early,) = other.add([other.request(START, external_id="early")])
        position = here(postgres_store)
        (newest,) = one.add([one.request(START + MINUTE)])
        news = after(postgres_store, position)
        (late,) = other.add([other.request(START + SECOND, external_id="late")])
        assert (ids(news), early < late < newest) == ([newest], True)
        assert ids(after(postgres_store, news.position)) == [late]

    def test_a_collector_that_was_not_heard_yet_is_heard(self, postgres_store: Store) -> None:
        one, other = Recorded(postgres_store), Recorded(postgres_store, slot=9)
        one.add([one.request(START + MINUTE)])
        position = here(postgres_store)
        late = other.add([other.request(START, external_id="early")])
        assert ids(after(postgres_store, position)) == late

    def test_the_position_stays_small(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START)])
        recorded.add([recorded.request(START + HOUR)])
        assert len(after(recorded.store, START_OF_ALL).position.requests) == 1


class TestChanges:
    def test_a_changed_request_comes_again_as_it_is_now(self, recorded: Recorded) -> None:
        pushed = recorded.request(START, external_id="same", model=None)
        (id,) = recorded.add([pushed])
        position = here(recorded.store)
        recorded.add([recorded.request(START, external_id="same", model="o3", source=HELICONE_API)])
        news = after(recorded.store, position)
        (happened,) = news.happened
        assert isinstance(happened.what, RequestRow)
        assert (happened.what.id, str(happened.what.model)) == (id, "o3")
        assert after(recorded.store, news.position).happened == ()

    def test_several_changes_of_one_request_are_one_event(self, recorded: Recorded) -> None:
        first, second = recorded.add([recorded.request(START), recorded.request(START)])
        position = here(recorded.store)
        for number, id in enumerate((first, second, first), start=1):
            put_revision(recorded.store, number, id, START)
        assert ids(after(recorded.store, position)) == [second, first]

    def test_changes_of_requests_that_are_gone_are_passed_over(self, recorded: Recorded) -> None:
        (id,) = recorded.add([recorded.request(START)])
        position = here(recorded.store)
        for number, changed in enumerate((1, 2, 3, id), start=1):
            put_revision(recorded.store, number, changed, START)
        assert [ids(piece) for piece in followed(recorded.store, position, most=2)] == [[], [id], []]

    def test_a_missing_number_is_waited_for_a_while(self, recorded: Recorded) -> None:
        first, second = recorded.add([recorded.request(START), recorded.request(START)])
        position = here(recorded.store)
        put_revision(recorded.store, 2, second, START)
        assert after(recorded.store, position, now=START + SECOND).happened == ()
        put_revision(recorded.store, 1, first, START)
        assert ids(after(recorded.store, position, now=START + SECOND)) == [first, second]

    def test_a_number_that_never_comes_holds_nothing_up(self, recorded: Recorded) -> None:
        (id,) = recorded.add([recorded.request(START)])
        position = here(recorded.store)
        put_revision(recorded.store, 2, id, START)
        assert ids(after(recorded.store, position, now=START + MINUTE)) == [id]


class TestAlerts:
    def test_a_changed_alert_comes(self, recorded: Recorded) -> None:
        put_alert(recorded.store, START)
        position = here(recorded.store)
        put_alert(recorded.store, START + MINUTE, state="exceeded")
        news = after(recorded.store, position)
        assert [each.what.state for each in news.happened if isinstance(each.what, AlertRow)][-1] == "exceeded"
        assert news.position.alerts_at == START + MINUTE

    def test_one_that_was_committed_late_comes(self, recorded: Recorded) -> None:
        put_alert(recorded.store, START)
        position = here(recorded.store)
        put_alert(recorded.store, START - SECOND)
        rules = [each.what.rule for each in after(recorded.store, position).happened if isinstance(each.what, AlertRow)]
        assert f"limit/{START - SECOND}" in rules

    def test_many_come_in_pieces_without_a_loss(self, recorded: Recorded) -> None:
        for number in range(6):
            put_alert(recorded.store, START, rule=f"limit/{number}")
        position = here(recorded.store)
        for number in range(6):
            put_alert(recorded.store, START + MINUTE, rule=f"limit/later {number}")
        pieces = [ids(piece) for piece in followed(recorded.store, position, most=4)]
        assert len({id for piece in pieces for id in piece}) == 12
