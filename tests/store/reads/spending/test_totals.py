"""Sums over spans of days, from the totals by day as far as they go."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.limits.limit import Each
from spendtop.domain.windows import Bounds
from spendtop.store.day_totals import until
from spendtop.store.engine import Store
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.uses import use
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import by_key, per_bucket, spend
from spendtop.store.reads.spending.totals import totals, totals_of_keys
from tests.services.conftest import day_sums, hour_sums_by_day, sum_hours
from tests.store.conftest import Recorded
from tests.store.reads.limits.test_uses import limit
from tests.store.reads.random_requests import MANY, START, Drawn, brute_force, many_drawn, within

FIRST_DAY = START // DAY * DAY
DAYS = 5

instants = st.one_of(
    st.integers(FIRST_DAY, FIRST_DAY + DAYS * DAY),
    st.builds(
        lambda day, hour, more: FIRST_DAY + day * DAY + hour * HOUR + more,
        st.integers(0, DAYS),
        st.sampled_from([0, 0, 1, 23]),
        st.integers(-1, 1),
    ),
)
moved = st.lists(st.tuples(many_drawn.map(lambda some: some[:3]), instants), max_size=8)
"""Groups of requests, each moved to an instant and followed by summing the hours before another."""
spans = st.tuples(st.none() | instants, st.none() | instants)


@MANY
@given(moved, st.lists(instants, min_size=8, max_size=8), spans)
def test_they_are_exact_wherever_they_end(
    recorded: Recorded, groups: list[Any], ends: list[int], span: tuple[int | None, int | None]
) -> None:
    recorded.clear()
    requests: list[Drawn] = []
    for (some, at), end in zip(groups, ends, strict=False):
        here = [replace(one, occurred_at=at + one.occurred_at - START) for one in some]
        recorded.add(one.request(recorded) for one in here)
        requests += here
        sum_hours(recorded.store, end)
        assert day_sums(recorded.store) == hour_sums_by_day(recorded.store)
    inside = [one for one in requests if within(*span, one.occurred_at)]
    each_user = limit(each=Each.USER)
    with recorded.store.reading() as connection:
        assert spend(connection, *span) == brute_force(inside)
        expected = brute_force(one for one in inside if one.user == "alice")
        assert spend(connection, *span, "user", "alice") == expected
        assert use(connection, each_user, "alice", Bounds(*span)).used == expected.cost
        assert EntityUses().uses(connection, each_user, ["alice"], Bounds(*span))["alice"].used == expected.cost
        reached = EntityUses().reaching(connection, each_user, ["alice"], Bounds(*span), expected.cost.nano)
        assert reached == {"alice"}
        sums = {key: brute_force(one for one in inside if (one.user or "") == key) for key in ("", "alice", "bob")}
        rows = {row.key.raw: row.spend for row in by_key(connection, "user", *span, most=9).rows}
        for key, expected in sums.items():
            assert rows.get(key, Spend.nothing()) == expected
        days = {bucket.start: bucket.spend for bucket in per_bucket(connection, FIRST_DAY, None, DAY)}
        for day in range(FIRST_DAY, FIRST_DAY + DAYS * DAY, DAY):
            of_day = brute_force(one for one in requests if day <= one.occurred_at < day + DAY)
            assert days.get(day, Spend.nothing()) == of_day


def test_long_spans_and_those_of_all_keys_are_read_by_days(recorded: Recorded) -> None:
    recorded.add([recorded.request(FIRST_DAY + hour * HOUR) for hour in range(0, DAYS * 24, 7)])
    summed = FIRST_DAY + 3 * DAY + 5 * HOUR
    sum_hours(recorded.store, summed)
    end = FIRST_DAY + 4 * DAY
    with recorded.store.reading() as connection:
        parts = totals(connection, "all", Span(FIRST_DAY - 2 * HOUR, end))
        assert [(part.table.name, part.span) for part in parts] == [
            ("day_total", Span(FIRST_DAY, summed)),
            ("total", Span(FIRST_DAY - 2 * HOUR, FIRST_DAY)),
            ("total", Span(summed, end)),
        ]
        day = Span(end - DAY, end)
        assert [part.table.name for part in totals(connection, "user", day)] == ["total"]
        assert [(part.table.name, part.span) for part in totals_of_keys(connection, "user", day)] == [
            ("day_total", Span(end - DAY, summed)),
            ("total", Span(summed, end)),
        ]
        rolling = totals_of_keys(connection, "user", Span(end - 2 * DAY + HOUR, end - HOUR))
        assert [(part.table.name, part.span) for part in rolling] == [
            ("day_total", Span(end - DAY, summed)),
            ("total", Span(end - 2 * DAY + HOUR, end - DAY)),
            ("total", Span(summed, end - HOUR)),
        ]


def test_without_requests_they_end_where_they_were_to_end(store: Store) -> None:
    sum_hours(store, FIRST_DAY + HOUR + 1)
    sum_hours(store, FIRST_DAY)
    with store.reading() as connection:
        assert until(connection) == FIRST_DAY + HOUR
