"""What a filter selects, step by step of time, and what is usual in an hour."""

from __future__ import annotations

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.filters.filters import EVERYTHING, Filter, FilterContext, parse_filter
from spendtop.domain.windows import Calendar
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.requests.stepped import largest_user, parts_of, stepped_spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import per_bucket, spend
from spendtop.store.reads.spending.usual import WEEK, usual_hours
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

CONTEXT = FilterContext(START, Calendar())


def test_steps_of_a_filter_add_up_what_it_selects(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(START + minute * MINUTE, nano, user_id=user)
            for minute in range(5)
            for user, nano in (("a", 5), ("b", 7 + minute))
        ]
    )
    until = START + HOUR

    def steps(selected: Filter, step: int | None) -> dict[int, int]:
        query = RequestQuery(filter=selected, since=START, until=until)
        with recorded.store.reading() as connection:
            found = stepped_spend(connection, query, CONTEXT, step)
        return {(start - START) // MINUTE: each.cost.nano for start, each in found.items()}

    assert steps(parse_filter("user:b cost>0"), 2 * MINUTE) == {0: 15, 2: 19, 4: 11}
    assert steps(parse_filter("user:b"), None) == {0: 45}
    with recorded.store.reading() as connection:
        buckets = per_bucket(connection, START, until, MINUTE)
        whole = spend(connection, START, until)
    assert steps(EVERYTHING, MINUTE) == {(each.start - START) // MINUTE: each.spend.cost.nano for each in buckets}
    assert steps(EVERYTHING, None) == {0: whole.cost.nano}


def test_who_spent_most_is_the_same_by_totals_and_by_rows(recorded: Recorded) -> None:
    recorded.add([recorded.request(START, 5, user_id="a"), recorded.request(START + 1, 3, user_id=None)])
    with recorded.store.reading() as connection:
        for selected, until in ((EVERYTHING, START + HOUR), (parse_filter("cost>0"), START + 1)):
            largest = largest_user(connection, RequestQuery(filter=selected, since=START, until=until), CONTEXT)
            assert largest is not None and (largest.key.raw, largest.spend.cost.nano) == ("a", 5)
        nobody = largest_user(connection, RequestQuery(filter=parse_filter("user:b"), since=START), CONTEXT)
    assert nobody is None


def test_parts_are_cut_in_the_same_places_wherever_the_span_begins() -> None:
    first, second = (parts_of(Span(since, 10 * HOUR), MINUTE, HOUR) for since in (30 * MINUTE, 31 * MINUTE))
    assert first[0] == Span(30 * MINUTE, HOUR) and second[0] == Span(31 * MINUTE, HOUR)
    assert first[1:] == second[1:] and first[-1] == Span(9 * HOUR, 10 * HOUR)


def test_an_hour_is_usually_as_in_the_weeks_that_were_recorded(recorded: Recorded) -> None:
    hour = START // HOUR * HOUR
    recorded.add(
        [recorded.request(hour - week * WEEK, nano) for week, nano in ((1, 10), (2, 20), (5, 9_000))]
        + [recorded.request(hour - 3 * WEEK + DAY, 7_000), recorded.request(hour, 1)]
    )
    with recorded.store.reading() as connection:
        usual = usual_hours(connection, Span(hour, hour + HOUR))
        before = usual_hours(connection, Span(hour - 5 * WEEK, hour - 5 * WEEK + HOUR))
    assert {start: each.cost.nano for start, each in usual.items()} == {hour: 30 // 4}
    assert before == {}
