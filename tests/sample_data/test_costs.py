"""Reported costs are list prices, and the demo's limits tell different stories with them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest
from msgspec.structs import replace

from spendtop.collector.demo.sample_files import CONFIG, sample_file
from spendtop.collector.demo.sample_stream import LENGTH, arrivals
from spendtop.collector.demo.sample_traffic import coming_lines, request_of
from spendtop.config.load import load
from spendtop.config.settings import Settings
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Basis, Request
from spendtop.sources.settings import SECTIONS
from tests.sample_data.conftest import END


@pytest.fixture(scope="module")
def coming() -> list[Request]:
    """What comes after the month, priced."""
    pricer = Pricer({}, None, PublishedPrices())
    requests = [request_of(line, END) for line in coming_lines()]
    return [replace(request, cost=pricer.cost(request)) for request in requests]


@pytest.fixture
def limits(tmp_path: Path) -> dict[str, Limit]:
    loaded = load(sample_file(CONFIG), sections=SECTIONS, environ={}, folder=tmp_path)
    settings: Settings = loaded.settings
    return {limit.name: limit.limit() for limit in settings.limits}


def test_reported_costs_are_list_prices(coming: list[Request], month: sqlite3.Connection) -> None:
    charged = [request for request in coming if request.cost.reported not in (None, ZERO) and not request.cached]
    assert len(charged) > 300
    for request in charged:
        assert request.cost.computed == request.cost.reported, request
    others = (
        "SELECT count(*) FROM request WHERE reported_cost_nano > 0 AND reported_cost_nano IS NOT computed_cost_nano"
    )
    assert month.execute(f"{others} AND NOT cached").fetchone()[0] == 0


def test_all_but_the_private_model_and_failures_cost_something(
    coming: list[Request], month: sqlite3.Connection
) -> None:
    unknown = [request for request in coming if request.cost.basis is Basis.UNKNOWN]
    assert {request.model for request in unknown} <= {"acme-private-7b"}
    assert [row[0] for row in month.execute("SELECT DISTINCT model FROM request WHERE basis = 'unknown'")] == [
        "acme-private-7b"
    ]


def spent(month: sqlite3.Connection, since: int, by: str = "''") -> dict[str, Usd]:
    rows = month.execute(
        f"SELECT {by}, sum(cost_nano) FROM request WHERE occurred_at > ? AND {by} IS NOT NULL AND counted GROUP BY 1",
        (since,),
    )
    return {key: Usd(nano or 0) for key, nano in rows}


def shares(month: sqlite3.Connection, since: int, limit: Limit, by: str = "''") -> list[float]:
    """Of the limit's amount, the largest first."""
    used = spent(month, since, by).values()
    return sorted((float(amount.share_of(limit.amount) or 0) for amount in used), reverse=True)


def test_the_day_is_near_its_limit_when_a_demo_starts(month: sqlite3.Connection, limits: dict[str, Limit]) -> None:
    (share,) = shares(month, END - DAY, limits["24 hours"])
    assert 0.8 < share < 0.9


def test_no_user_and_no_session_is_over_a_limit_and_the_fullest_have_used_most_of_it(
    month: sqlite3.Connection, limits: dict[str, Limit]
) -> None:
    for name, since, by in (("each user", END - DAY, "user_id"), ("each session", 0, "session_id")):
        first, second, *_ = shares(month, since, limits[name], by)
        assert 0.8 > first > 0.7 > second


def test_one_request_was_over_its_limit(month: sqlite3.Connection, limits: dict[str, Limit]) -> None:
    assert [share > 1 for share in shares(month, 0, limits["one request"], "id")[:2]] == [True, False]


def test_every_limit_of_the_demo_is_of_another_kind(limits: dict[str, Limit]) -> None:
    assert len({(limit.window, limit.each, limit.where_text) for limit in limits.values()}) == len(limits) == 8


def test_what_comes_crosses_neither_the_hour_nor_a_session(coming: list[Request], limits: dict[str, Limit]) -> None:
    for name, span in (("hour", HOUR), ("runaway", 5 * MINUTE)):
        used: defaultdict[tuple[str | None, int], Usd] = defaultdict(lambda: ZERO)
        for request in coming:
            entity = request.session_id if name == "runaway" else ""
            if entity is not None and request.cost.amount is not None:
                used[entity, request.occurred_at // span] += request.cost.amount
        assert max(amount.share_of(limits[name].amount) or 0 for amount in used.values()) < 0.7


def test_hours_that_come_spend_as_the_month_does_at_this_time(coming: list[Request], month: sqlite3.Connection) -> None:
    """As yesterday and as in the hours before."""

    def hours(first: int, count: int) -> list[tuple[int, float]]:
        rows = [
            month.execute(
                "SELECT count(*), sum(cost_nano) / 1e9 FROM request WHERE occurred_at BETWEEN ? AND ?",
                (END + hour * HOUR, END + (hour + 1) * HOUR - 1),
            ).fetchone()
            for hour in range(first, first + count)
        ]
        return [tuple(row) for row in rows]

    before = [*hours(-24, 2), *hours(-3, 3)]
    for hour in range(LENGTH // HOUR):
        own = [request for request in coming if (request.occurred_at - END) // HOUR == hour]
        cost = sum(request.cost.amount.nano for request in own if request.cost.amount) / 1e9
        for count, spent_then in before:
            assert 0.5 < len(own) / count < 2
            assert 0.4 < cost / spent_then < 2.5


def test_the_second_round_is_like_the_first_with_other_requests() -> None:
    stream = arrivals(END)
    length = len(coming_lines())
    first, second = ([next(stream) for _ in range(length)] for _ in range(2))
    assert {each.at - LENGTH for each in second} == {each.at for each in first}
    assert not {each.request.external_id for each in first} & {each.request.external_id for each in second}
    assert not {each.request.response_id for each in first} & {each.request.response_id for each in second} - {None}
