from __future__ import annotations

import pytest
from msgspec.structs import replace

from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.requests.request import Basis, Cost, Quantities, Status, Usage
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services.limits.limit_book import LimitBook
from tests.services.conftest import request

RESERVED = Limit(name="r", window=parse_window("day"), amount=Usd.of(10), warn=(), reserve="gpt-4o")
NANO_A_TOKEN = Price.of({"input_tokens": Rate(10**12), "output_tokens": Rate(10**12), "web_searches": Rate(5 * 10**12)})
SEARCHES: Quantities = {"web_searches": 2}


def cost(nano: int | None, unpriced: Quantities | None = None) -> Cost:
    basis = Basis.UNKNOWN if nano is None else Basis.COMPUTED
    return Cost(amount=Usd.of_nano(nano), basis=basis, unpriced_units=unpriced)


@pytest.mark.parametrize(
    ("usage", "priced", "counted"),
    [
        # A known cost counts as it is, however much the reserve would be.
        (Usage(prompt=60, completion=40), cost(7), 7),
        (Usage(prompt=60, completion=40), cost(0), 0),
        # An unknown one counts at the ceiling.
        (Usage(prompt=60, completion=40), cost(None), 100),
        (Usage(prompt=60), cost(None), None),
        (Usage(prompt=6, completion=0, cache_read=7), cost(None), None),
        (Usage(prompt=60, completion=40, units={"code_executions": 1}), cost(None), 100),
        # A partial one counts at the larger of its known part and the ceiling.
        (Usage(prompt=60, completion=40, units=SEARCHES), cost(70, SEARCHES), 110),
        (Usage(prompt=60, completion=40, units=SEARCHES), cost(700, SEARCHES), 700),
        (Usage(units=SEARCHES), cost(7, SEARCHES), 7),
    ],
)
def test_what_a_request_counts_for_where_a_limit_has_a_reserve(usage: Usage, priced: Cost, counted: int | None) -> None:
    book = LimitBook([RESERVED], Calendar(), {"r": NANO_A_TOKEN})
    assert book.cost(RESERVED, replace(request(1, 5, usage=usage), cost=priced)) == Usd.of_nano(counted)


def test_a_failed_call_counts_for_nothing() -> None:
    book = LimitBook([RESERVED], Calendar(), {"r": NANO_A_TOKEN})
    failed = request(1, 5, 0, usage=Usage(), status=Status.ERROR)
    assert book.cost(RESERVED, failed) == Usd(0)


def test_without_a_reserve_an_unknown_cost_stays_unknown() -> None:
    book = LimitBook([RESERVED], Calendar(), {})
    assert book.cost(RESERVED, request(1, 5, None, usage=Usage(prompt=60, completion=40))) is None
    partial = request(1, 5, usage=Usage(prompt=60, completion=40, units=SEARCHES))
    assert book.cost(RESERVED, replace(partial, cost=cost(70, SEARCHES))) == Usd(70)
