"""What is searched slice by slice is what the database finds at once, and what stands in bodies."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.windows import Calendar
from spendtop.store.reads.requests.lists import RequestQuery, listed_spend, page
from spendtop.store.reads.requests.search import search
from spendtop.store.reads.rows import RequestRow
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

CONTEXT = FilterContext(START, Calendar())


def filled(recorded: Recorded) -> list[int]:
    """Forty requests over days; every third asks for a refund, every fourth is refused."""
    return recorded.add(
        [
            recorded.request(
                START + number * 5 * HOUR,
                number,
                user_id="ann" if number % 2 else "ben",
                counted=number % 7 > 0,
                request_body=b'{"input": "please %s"}' % (b"Refund" if number % 3 == 0 else b"help"),
                response_body=b'{"output": "%s refund"}' % (b"no" if number % 4 == 0 else b"what"),
            )
            for number in range(40)
        ]
    )


@pytest.mark.parametrize("text", ["ann", "user:ben cost>5", "user:nobody"])
@pytest.mark.parametrize("descending", [True, False])
def test_pages_and_sums_are_those_of_the_whole(recorded: Recorded, text: str, descending: bool) -> None:
    filled(recorded)
    query = RequestQuery(filter=parse_filter(text), since=START + HOUR, until=START + 7 * DAY, descending=descending)
    with recorded.store.reading() as connection:
        whole = page(connection, query, CONTEXT, None, 100)
        sums = listed_spend(connection, query, CONTEXT)
    cursor: str | None = None
    rows: list[RequestRow] = []
    for _ in range(20):
        *_, last = search(recorded.store, query, CONTEXT, cursor, 3)
        if cursor is None:
            assert (last.sums, last.share) == (sums, 1.0)
        rows += last.page.rows
        cursor = last.page.next_cursor
        if cursor is None:
            break
    assert tuple(rows) == whole.rows


def test_what_is_found_first_is_told_first(recorded: Recorded) -> None:
    filled(recorded)
    findings = list(search(recorded.store, RequestQuery(filter=parse_filter("ann")), CONTEXT, None, 100))
    assert len(findings) > 3
    assert 0 < len(findings[0].page.rows) < len(findings[-1].page.rows) == 20
    shares = [finding.share for finding in findings]
    assert shares == sorted(shares) and shares[0] < 0.5 and shares[-1] == 1


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("~bq refund", [n for n in range(40) if n % 3 == 0]),
        ("~bs no", [n for n in range(40) if n % 4 == 0]),
        ("~b refund user:ann", [n for n in range(40) if n % 2]),
        ("!~bq refund", [n for n in range(40) if n % 3]),
        ("(~bq refund | ~bs no) user:ann", [n for n in range(40) if n % 2 and n % 3 == 0]),
    ],
)
def test_text_is_found_in_prompts_and_answers(recorded: Recorded, text: str, numbers: list[int]) -> None:
    ids = filled(recorded)
    *_, last = search(recorded.store, RequestQuery(filter=parse_filter(text)), CONTEXT, None, 100)
    assert sorted(row.id for row in last.page.rows) == sorted(ids[number] for number in numbers)
    assert last.sums.requests == len(numbers)


def test_elsewhere_a_search_in_bodies_is_refused(recorded: Recorded) -> None:
    with recorded.store.reading() as connection, pytest.raises(UsageError, match="on the screen of requests only"):
        page(connection, RequestQuery(filter=parse_filter("~b x")), CONTEXT, None, 5)
