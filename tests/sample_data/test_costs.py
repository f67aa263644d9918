"""Reported costs are list prices, and the demo's limits tell different stories with them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from spendtop.collector.demo.sample_traffic import history, live_bodies, sample_folder
from spendtop.config.load import load
from spendtop.config.settings import Settings
from spendtop.domain.clock import DAY, HOUR, to_micros
from spendtop.domain.limits import Limit
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.request import Basis, Request
from spendtop.sources.settings import SECTIONS

NOW = to_micros(datetime(2026, 11, 20, 16, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def priced() -> list[Request]:
    pricer = Pricer({}, None, PublishedPrices())
    return [replace(request, cost=pricer.cost(request)) for request in history(NOW)]


@pytest.fixture
def limits(tmp_path: Path) -> dict[str, Limit]:
    loaded = load(sample_folder() / "demo.toml", sections=SECTIONS, environ={}, folder=tmp_path)
    settings: Settings = loaded.settings
    return {limit.name: limit.limit() for limit in settings.limits}


def test_reported_costs_are_list_prices(priced: list[Request]) -> None:
    charged = [request for request in priced if request.cost.reported not in (None, ZERO) and not request.cached]
    assert len(charged) > 5000
    for request in charged:
        assert request.cost.computed == request.cost.reported, request


def test_all_but_the_private_model_and_failures_cost_something(priced: list[Request]) -> None:
    unknown = [request for request in priced if request.cost.basis is Basis.UNKNOWN]
    assert {request.model for request in unknown} == {"acme-private-7b"}
    assert sum(request.cost.basis is Basis.REPORTED for request in priced) == len(priced) - len(unknown)


def spent(requests: list[Request], since: int) -> Usd:
    return sum((r.cost.amount for r in requests if r.cost.amount and r.occurred_at > since), ZERO)


def by(field: str, requests: list[Request]) -> dict[str, list[Request]]:
    groups: dict[str, list[Request]] = defaultdict(list)
    for request in requests:
        groups[getattr(request, field) or ""].append(request)
    return groups


def test_the_day_is_approaching_its_limit_when_a_demo_starts(priced: list[Request], limits: dict[str, Limit]) -> None:
    share = spent(priced, NOW - DAY).share_of(limits["24 hours"].amount)
    assert share is not None and 0.8 < share < 0.95


def test_the_hour_is_fine_at_first_and_exceeded_within_one_round_of_live_traffic(
    priced: list[Request], limits: dict[str, Limit]
) -> None:
    used, amount = spent(priced, NOW - HOUR), limits["hour"].amount
    live = [msgspec.json.decode(body)["metadata"]["cost"] for body in live_bodies()]
    assert (used.share_of(amount) or 0) < 0.75
    assert (used + Usd.of(str(round(sum(live), 9)))).nano > amount.nano
    assert max(live) > float(limits["one request"].amount.dollars)


def test_one_user_is_over_the_limit_and_another_near_it(priced: list[Request], limits: dict[str, Limit]) -> None:
    amount = limits["each user"].amount
    shares = sorted(spent(own, NOW - DAY).share_of(amount) or 0 for own in by("user_id", priced).values())
    assert shares[-1] >= 1 > shares[-2] > 0.8 > shares[-3]


def test_one_session_and_one_request_are_over_their_limits(priced: list[Request], limits: dict[str, Limit]) -> None:
    sessions = by("session_id", [request for request in priced if request.session_id])
    over = [session for session, own in sessions.items() if spent(own, 0) >= limits["each session"].amount]
    dear = [request for request in priced if request.cost.amount and request.cost.amount > limits["one request"].amount]
    assert len(over) == len(dear) == 1


def test_every_limit_of_the_demo_is_of_another_kind(limits: dict[str, Limit]) -> None:
    assert len({(limit.window, limit.each, limit.where_text) for limit in limits.values()}) == len(limits) == 7
