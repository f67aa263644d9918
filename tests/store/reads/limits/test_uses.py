from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.filters.filters import FilterContext, Subject, matches, parse_filter
from spendtop.domain.limits.limit import Each, Limit, LimitState, family_of
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar, parse_window
from spendtop.store.day_totals import add_hours
from spendtop.store.engine import Store
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.uses import Use, use, uses
from spendtop.store.reads.rows import RequestRow
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import MANY, START, Drawn, brute_force, many_drawn, spans, within


def limit(name: str = "daily", window: str = "24h", amount: int = 1_000, where: str = "", **fields: Any) -> Limit:
    tree = parse_filter(where) if where else None
    return Limit(name=name, window=parse_window(window), amount=Usd(amount), where=tree, where_text=where, **fields)


LIMITS = (
    limit("all"),
    limit("each", each=Each.USER),
    limit("where", where="-model:gpt-4o-mini"),
    limit("who", where="user:alice", each=Each.MODEL),
    limit("families", each=Each.MODEL_FAMILY),
    limit("alice's families", where="user:alice", each=Each.MODEL_FAMILY),
)


def counts(one: Drawn, rule: Limit, entity: str) -> bool:
    family = family_of(one.model)
    of = {None: "", Each.USER: one.user, Each.MODEL: one.model, Each.MODEL_FAMILY: family}[rule.each]
    seen = Subject(user=one.user, model=one.model)
    return of == entity and (rule.where is None or matches(rule.where, seen, FilterContext(0, Calendar())))


def entities(rule: Limit) -> tuple[str, ...]:
    users, families = ("alice", "Alice", "jörg", "nobody"), ("gpt-4o", "gpt-4o-mini", "o3")
    return {None: ("",), Each.USER: users, Each.MODEL: ("gpt-4o",), Each.MODEL_FAMILY: families}[rule.each]


class TestUse:
    @MANY
    @given(many_drawn, spans, st.sampled_from(LIMITS))
    def test_is_exact_and_is_never_above_its_bound(
        self, recorded: Recorded, requests: list[Drawn], span: tuple[int | None, int | None], rule: Limit
    ) -> None:
        recorded.clear()
        recorded.add([one.request(recorded) for one in requests], LIMITS)
        inside = [one for one in requests if within(*span, one.occurred_at)]
        reader = EntityUses()
        with recorded.store.reading() as connection:
            for entity in entities(rule):
                expected = brute_force(one for one in inside if counts(one, rule, entity))
                found = use(connection, rule, entity, Bounds(*span))
                assert found == Use(expected.cost, expected.unpriced)
                assert reader.reaching(connection, rule, [entity], Bounds(*span), found.used.nano) == {entity}

    def test_prices_unpriced_requests_at_the_edges_at_the_ceiling(self, recorded: Recorded) -> None:
        rule = limit(reserve="gpt-4o")
        recorded.add([recorded.request(START + 5, None), recorded.request(START + 6, 7)], [rule])

        def ceiling(row: RequestRow) -> Usd:
            assert row.occurred_at == START + 5
            return Usd(100)

        with recorded.store.reading() as connection:
            edge = Bounds(START + 1, START + 9)
            assert use(connection, rule, "", edge, ceiling) == Use(Usd(107), 1)
            assert use(connection, rule, "", edge) == Use(Usd(7), 1)

    def test_shadow_requests_count_nowhere(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START + 5, 7, counted=False)], LIMITS)
        with recorded.store.reading() as connection:
            assert use(connection, LIMITS[2], "", Bounds(START + 1, None)) == Use(Usd(0), 0)


class TestUses:
    now = START + HOUR + 5

    def stands(self, recorded: Recorded, *limits: Limit, most: int = 20) -> list[tuple[str, str, int, LimitState]]:
        with recorded.store.reading() as connection:
            found = uses(connection, limits, Calendar(), self.now, most)
        return [(one.limit.name, one.entity.raw, one.used.nano, one.state) for one in found]

    def test_the_fullest_comes_first(self, recorded: Recorded) -> None:
        rules = [limit("wide", amount=10_000), limit("narrow", amount=1_000), limit("middle", amount=1_300)]
        recorded.add([recorded.request(START, 1_100)], rules)
        assert self.stands(recorded, *rules) == [
            ("narrow", "", 1_100, LimitState.EXCEEDED),
            ("middle", "", 1_100, LimitState.APPROACHING),
            ("wide", "", 1_100, LimitState.OK),
        ]

    def test_each_shows_the_entities_that_spend_most(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START, cost, user_id=user) for user, cost in (("a", 5), ("b", 9), ("c", 1))])
        recorded.add([recorded.request(START, 100)])
        rule = limit(each=Each.USER)
        assert [(entity, used) for _, entity, used, _ in self.stands(recorded, rule, most=2)] == [("b", 9), ("a", 5)]

    def test_of_a_request_limit_is_the_costliest_of_the_last_hour(self, recorded: Recorded) -> None:
        recorded.add(
            [
                recorded.request(START + 4, 9_999),
                recorded.request(START + HOUR - 1, 30),
                recorded.request(START + HOUR, 1_000),
            ]
        )
        assert self.stands(recorded, limit("one", "request")) == [("one", "", 1_000, LimitState.OK)]
        assert self.stands(recorded, limit("cheap", "request", where="model:none")) == [("cheap", "", 0, LimitState.OK)]

    def test_of_a_request_limit_with_a_reserve_an_unpriced_request_has_its_ceiling(self, recorded: Recorded) -> None:
        rule = limit("one", "request", reserve="gpt-4o")
        recorded.add([recorded.request(START + HOUR, 30), recorded.request(START + HOUR, None)], [rule])
        with recorded.store.reading() as connection:
            (found,) = uses(connection, [rule], Calendar(), self.now, ceilings={"one": lambda row: Usd(2_000)})
        assert (found.used, found.unpriced, found.state) == (Usd(2_000), 1, LimitState.EXCEEDED)

    @pytest.mark.parametrize("window", ["session", "lifetime"])
    def test_windows_without_a_beginning_count_everything(self, recorded: Recorded, window: str) -> None:
        long_ago = START - 300 * 24 * HOUR
        recorded.add([recorded.request(at, 6, session_id="s-1") for at in (long_ago, START)])
        assert self.stands(recorded, limit("s", window, each=Each.SESSION)) == [("s", "s-1", 12, LimitState.OK)]

    def test_calendar_windows_tell_their_bounds(self, recorded: Recorded) -> None:
        with recorded.store.reading() as connection:
            (found,) = uses(connection, [limit(window="hour")], Calendar(), self.now)
        assert (found.starts_at, found.ends_at, found.fraction) == (START + HOUR, START + 2 * HOUR, 0.0)

    def test_who_spent_most_of_a_day_is_read_from_the_index_of_its_totals(self, sqlite_store: Store) -> None:
        day, ran, recorded = START // DAY * DAY, list[str](), Recorded(sqlite_store)
        spent = ("a", 0, 5), ("b", 0, 9), ("a", 3, 6)
        recorded.add([recorded.request(day + hour * HOUR, cost, user_id=user) for user, hour, cost in spent])
        with sqlite_store.writing() as connection:
            add_hours(connection, day + 2 * HOUR)
        with sqlite_store.reading() as connection:
            driver = connection.connection.dbapi_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.set_trace_callback(ran.append)
            (found,) = uses(connection, [limit(window="day", each=Each.USER)], Calendar(), day + 4 * HOUR, 1)
            driver.set_trace_callback(None)
            plans = [row[3] for sql in ran for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert (found.entity.raw, found.used) == ("a", Usd(11))
        assert any("COVERING INDEX day_total_bucket" in step for step in plans)
