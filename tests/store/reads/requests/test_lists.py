from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.clock import HOUR
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext, Subject, matches, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import is_failed
from spendtop.domain.requests.request import Basis, Cost, Request, ServiceLevel, Status, Usage
from spendtop.domain.sources.records import INGEST
from spendtop.domain.windows import Calendar
from spendtop.store.reads.requests.lists import (
    Order,
    RequestCursor,
    RequestQuery,
    listed_spend,
    newest_id,
    observed_values,
    page,
)
from spendtop.store.reads.rows import RequestRow
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import MANY, START, Drawn, many_drawn

CONTEXT = FilterContext(START + 2 * HOUR, Calendar("Europe/Berlin"))


def all_pages(recorded: Recorded, query: RequestQuery, size: int) -> list[RequestRow]:
    rows: list[RequestRow] = []
    cursor = None
    with recorded.store.reading() as connection:
        while True:
            found = page(connection, query, CONTEXT, cursor, size)
            assert len(found.rows) <= size
            rows.extend(found.rows)
            cursor = found.next_cursor
            if cursor is None:
                return rows


def selected(recorded: Recorded, text: str) -> set[int]:
    return {row.id for row in all_pages(recorded, RequestQuery(filter=parse_filter(text)), 50)}


def value(row: RequestRow, order: Order) -> int | str | None:
    match order:
        case Order.TIME:
            return row.occurred_at
        case Order.USER:
            return row.user_id.raw if row.user_id else None
        case Order.MODEL:
            return row.model.raw if row.model else None
        case Order.STATUS:
            return [Status.OK, Status.CANCELLED, Status.ERROR].index(row.status) * 1000 + (row.http_status or 0)
        case Order.COST:
            return Usd.nano_of(row.cost.amount)
        case Order.TOKENS:
            return row.usage.total
        case Order.LATENCY:
            return row.latency_ms


def _ranks(values: list[int | str | None], descending: bool) -> dict[int | str, int]:
    """The place of each value: of numbers by their size, of texts as the database has sorted them."""
    known = list(dict.fromkeys(one for one in values if one is not None))
    numbers = [one for one in known if isinstance(one, int)]
    ascending = sorted(numbers) if numbers else known[::-1] if descending else known
    return {one: rank for rank, one in enumerate(ascending)}


class TestPage:
    @MANY
    @given(many_drawn, st.sampled_from(Order), st.booleans(), st.integers(1, 7))
    def test_pages_hold_every_request_once_in_order(
        self, recorded: Recorded, requests: list[Drawn], order: Order, descending: bool, size: int
    ) -> None:
        recorded.clear()
        ids = recorded.add(one.request(recorded) for one in requests)
        rows = all_pages(recorded, RequestQuery(order=order, descending=descending), size)
        assert sorted(row.id for row in rows) == sorted(ids)
        values = [value(row, order) for row in rows]
        ranks = _ranks(values, descending)
        keys = [(None if one is None else ranks[one], row.id) for one, row in zip(values, rows, strict=True)]
        known = [(found, row_id) for found, row_id in keys if found is not None]
        unknown = [row_id for found, row_id in keys if found is None]
        assert [found for found, _ in keys] == [found for found, _ in known] + [None] * len(unknown)
        assert known == sorted(known, reverse=descending)
        assert unknown == sorted(unknown, reverse=descending)

    def test_span_is_half_open(self, recorded: Recorded) -> None:
        ids = recorded.add(recorded.request(START + offset) for offset in range(4))
        rows = all_pages(recorded, RequestQuery(since=START + 1, until=START + 3), 10)
        assert [row.id for row in rows] == [ids[2], ids[1]]

    def test_requests_that_arrive_while_paging_move_nothing(self, recorded: Recorded) -> None:
        ids = recorded.add(recorded.request(START + offset) for offset in range(4))
        with recorded.store.reading() as connection:
            first = page(connection, RequestQuery(), CONTEXT, None, 2)
        recorded.add([recorded.request(START + 9)])
        with recorded.store.reading() as connection:
            second = page(connection, RequestQuery(), CONTEXT, first.next_cursor, 2)
        assert [row.id for row in (*first.rows, *second.rows)] == ids[::-1]

    @pytest.mark.parametrize("cursor", ["x", "%%%", "bnVsbA", "W10", "WyJ0aW1lIiwxLDEsMV0", "é"])
    def test_refuses_a_cursor_that_it_never_gave(self, recorded: Recorded, cursor: str) -> None:
        with recorded.store.reading() as connection, pytest.raises(UsageError, match="cursor"):
            page(connection, RequestQuery(), CONTEXT, cursor, 5)

    def test_refuses_the_cursor_of_another_order(self, recorded: Recorded) -> None:
        recorded.add(recorded.request(START + offset) for offset in range(4))
        with recorded.store.reading() as connection:
            cursor = page(connection, RequestQuery(), CONTEXT, None, 2).next_cursor
            assert cursor is not None
            assert cursor == "".join(c for c in cursor if c.isalnum() or c in "-_")
            with pytest.raises(UsageError, match="another order"):
                page(connection, RequestQuery(order=Order.COST), CONTEXT, cursor, 2)

    @pytest.mark.parametrize("order", [Order.COST, Order.USER])
    def test_refuses_a_cursor_with_a_value_that_its_order_cannot_have(self, recorded: Recorded, order: Order) -> None:
        forged = RequestCursor(order, True, "x" if order is Order.COST else 7, 1).write()
        with recorded.store.reading() as connection, pytest.raises(UsageError, match="not one that a list returned"):
            page(connection, RequestQuery(order=order), CONTEXT, forged, 2)

    def test_failed_requests_stand_together_by_their_status(self, recorded: Recorded) -> None:
        recorded.add(
            recorded.request(START + offset, status=status, http_status=code)
            for offset, (status, code) in enumerate(
                [
                    (Status.ERROR, 429),
                    (Status.OK, 200),
                    (Status.CANCELLED, 499),
                    (Status.ERROR, 500),
                    (Status.ERROR, None),
                ]
            )
        )
        rows = all_pages(recorded, RequestQuery(order=Order.STATUS), 2)
        assert [row.http_status for row in rows] == [500, 429, None, 499, 200]

    def test_keeps_what_is_not_known_apart_from_zero(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START, None, user_id="al\x1bice")])
        (row,) = all_pages(recorded, RequestQuery(), 5)
        assert (row.cost.amount, row.usage.total, row.model, row.latency_ms) == (None, None, None, None)
        assert row.user_id is not None
        assert (row.user_id.raw, str(row.user_id)) == ("al\x1bice", "al␛ice")


def of_every_kind(recorded: Recorded) -> list[Request]:
    def request(offset: int, cost: int | None = 5_000_000, **fields: Any) -> Request:
        return recorded.request(START + offset, cost, **fields)

    return [
        request(0, user_id="alice", model="gpt-4o", usage=Usage(prompt=10, completion=5), latency_ms=900),
        request(1, user_id="ALICE", model="gpt-4o-mini", status=Status.ERROR, http_status=429, session_path="/etl/a"),
        request(2, None, user_id="alice_b%", session_id="s-1", properties={"env": "prod", 'a"b': "x"}, verified=True),
        request(3, user_id="jörg", provider="OpenAI", token="ci-42", cached=True, usage=Usage(prompt=10_000)),
        request(4, user_id="JÖRG", source=INGEST, external_id="req-77", properties={"env": "Prod-2"}),
        request(HOUR, 0, model="back\\slash*", status=Status.CANCELLED, http_status=499, latency_ms=60_000),
        request(5, 0, status=Status.ERROR, http_status=500),
        request(6, 0, status=Status.ERROR, usage=Usage(units={"web_searches": 1})),
        replace(
            request(7, service_level=ServiceLevel.BATCH),
            cost=Cost(amount=Usd(5_000_000), basis=Basis.COMPUTED, unpriced_units={"web_searches": 2}),
        ),
        replace(request(8), cost=Cost(amount=Usd(800_000_000), basis=Basis.REPORTED, doubtful=True)),
    ]


def subject(request: Request, request_id: int) -> Subject:
    return Subject(
        user=request.user_id,
        model=request.model,
        token=request.token,
        session=request.session_id,
        path=request.session_path,
        provider=request.provider,
        sources=(request.source.name,),
        id=str(request_id),
        external_ids=(request.external_id,),
        properties=request.properties,
        status=request.status,
        http_status=request.http_status,
        cost=request.cost.amount,
        prompt_tokens=request.usage.prompt,
        completion_tokens=request.usage.completion,
        total_tokens=request.usage.total,
        latency_ms=request.latency_ms,
        occurred_at=request.occurred_at,
        cached=request.cached,
        verified=request.verified,
        unpriced=request.cost.amount is None or request.cost.partial,
        partial=request.cost.partial,
        failed=is_failed(request),
        doubtful=request.cost.doubtful,
        level=request.service_level,
        twin=request.user_id == "alice",
    )


FILTERS = """
user:alice | !user:alice | user:ali* | user:*ice | user:*lic* | user:a*e | user:jörg | user:JÖ* | user:*Ö*g
user:"alice_b%" | user:nobody | model:gpt-4o | model:GPT-4* | !model:gpt-4o | ~u /^al.ce$/ | ~u /ö/
~m /(?s)gpt/ | alice | etl | req-77 | ~k ci-42 | ~s s-1 | ~p /etl/* | ~pr openai | ~src ingest | !~src ingest
~id req-77 | ~id REQ* | ~prop env=prod | ~prop env=prod* | !~prop env=prod | ~st error | ~st >=429 | ~st 429
!~st 429 | ~cost >0.004 | ~cost <=0 | !~cost >0.004 | ~tok >10 | ~tok 15 | !~tok >10 | ~in >=10 | ~out <10
~lat >5s | !~lat >5s | ~e | !~e | ~unpriced | !~unpriced | ~partial | !~partial | ~failed | !~failed | failed:no
~doubtful | !~doubtful | partial:no doubtful:no | ~level batch | level:BAT* | !~level batch
~cached | ~verified | ~twin | !~twin | ~imported | !~imported | ~t -90m | ~t 14:00..15:00 | today
(user:alice ~e) | !(user:alice ~cost >0.004)
"""


class TestFilter:
    @pytest.mark.parametrize(
        "text", [part.strip() for line in FILTERS.strip().splitlines() for part in line.split(" | ")]
    )
    def test_selects_what_the_rules_select_in_memory(self, recorded: Recorded, text: str) -> None:
        requests = of_every_kind(recorded)
        ids = recorded.add(requests)
        table = table_of(RequestTable)
        with recorded.store.writing() as connection:
            connection.execute(table.update().where(table.c.user_id == "alice").values(probable_twin_of=1))
        tree = parse_filter(text)
        expected = {
            row_id for one, row_id in zip(requests, ids, strict=True) if matches(tree, subject(one, row_id), CONTEXT)
        }
        assert selected(recorded, text) == expected

    def test_finds_our_own_id(self, recorded: Recorded) -> None:
        ids = recorded.add(of_every_kind(recorded))
        assert selected(recorded, f"~id {ids[3]}") == {ids[3]}
        assert selected(recorded, "~id 99999999999999999999999") == set()

    def test_quotes_and_sql_in_a_value_are_only_text(self, recorded: Recorded) -> None:
        name = "x'; DROP TABLE request; --"
        ids = recorded.add([recorded.request(START, user_id=name), recorded.request(START)])
        assert selected(recorded, f'user:"{name}"') == {ids[0]}

    def test_or_of_several_users_selects_each(self, recorded: Recorded) -> None:
        ids = recorded.add(recorded.request(START, user_id=user) for user in ("a", "b", "c"))
        assert selected(recorded, "user:a | user:c") == {ids[0], ids[2]}


class TestSpendOf:
    def test_sums_the_counted_requests_of_the_selection(self, recorded: Recorded) -> None:
        recorded.add(
            [
                recorded.request(START, 3, user_id="alice"),
                recorded.request(START + HOUR, 4, user_id="alice"),
                recorded.request(START, 100, user_id="alice", counted=False),
                recorded.request(START, 100, user_id="bob"),
            ]
        )
        query = RequestQuery(filter=parse_filter("user:alice"), until=START + HOUR)
        with recorded.store.reading() as connection:
            assert listed_spend(connection, query, CONTEXT).counted.cost == Usd(3)
            assert listed_spend(connection, RequestQuery(), CONTEXT).counted.cost == Usd(107)

    @pytest.mark.parametrize("words", ["", "token:shade", "cost>0"])
    @pytest.mark.parametrize("since", [None, START, START + HOUR // 2, START + HOUR])
    def test_tells_shadow_requests_apart_and_counts_every_row_of_the_list(
        self, recorded: Recorded, words: str, since: int | None
    ) -> None:
        shade = {"source": INGEST, "token": "shade", "counted": False}
        recorded.add(recorded.request(START + n * HOUR // 4, n, **(shade if n % 3 else {})) for n in range(1, 9))
        query = RequestQuery(filter=parse_filter(words) if words else None, since=since)
        with recorded.store.reading() as connection:
            listed = listed_spend(connection, query, CONTEXT)
            rows = page(connection, query, CONTEXT, None, 100).rows
        for counted, sums in ((True, listed.counted), (False, listed.shadow)):
            costs = [row.cost.amount.nano for row in rows if row.counted is counted and row.cost.amount]
            assert (sums.requests, sums.cost.nano) == (len(costs), sum(costs))
        assert listed.requests == len(rows)

    def test_of_nothing_is_nothing(self, recorded: Recorded) -> None:
        with recorded.store.reading() as connection:
            assert listed_spend(connection, RequestQuery(filter=parse_filter("user:x")), CONTEXT).requests == 0


class TestNewestId:
    def test_grows_with_what_is_recorded(self, recorded: Recorded) -> None:
        with recorded.store.reading() as connection:
            assert newest_id(connection) == 0
        ids = recorded.add(recorded.request(START - offset, received_at=START + offset) for offset in range(5))
        with recorded.store.reading() as connection:
            assert newest_id(connection) == ids[-1]


class TestObservedValues:
    def test_are_of_the_last_week_and_begin_with_the_prefix(self, recorded: Recorded) -> None:
        recorded.add(
            [
                recorded.request(START, 1, user_id="Alice"),
                recorded.request(START, 5, user_id="al%ine"),
                recorded.request(START, 9, user_id="bob"),
                recorded.request(START - 8 * 24 * HOUR, 9, user_id="albert"),
                recorded.request(START),
            ]
        )
        with recorded.store.reading() as connection:
            assert [name.raw for name in observed_values(connection, "user", "AL", 9)] == ["al%ine", "Alice"]
            assert [name.raw for name in observed_values(connection, "user", "al%", 9)] == ["al%ine"]
            assert [name.raw for name in observed_values(connection, "user", "", 1)] == ["bob"]
            assert observed_values(connection, "cost", "", 9) == []
