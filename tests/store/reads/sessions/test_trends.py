"""How the cost of sessions is spread over their lives."""

from __future__ import annotations

from msgspec.structs import replace

from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Cost
from spendtop.domain.windows import Calendar
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.sessions.sessions import sessions
from spendtop.store.reads.sessions.trends import STEPS, session_trends
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

CONTEXT = FilterContext(START + 9 * HOUR, Calendar())


def trends(recorded: Recorded, query: RequestQuery) -> dict[str, dict[int, int]]:
    """Of each session the parts of its life that cost something."""
    rows = sessions(recorded.store, query, CONTEXT, None, 9).rows
    with recorded.store.reading() as connection:
        found = session_trends(connection, rows, query, CONTEXT)
    assert all(len(trend) == STEPS for trend in found.values())
    return {name: {step: nano for step, nano in enumerate(trend) if nano} for name, trend in found.items()}


def test_each_session_has_the_costs_of_its_own_life_in_parts_of_the_same_length(recorded: Recorded) -> None:
    equivalent = Cost(basis=Basis.PLAN, computed=Usd(7))
    recorded.add(
        [
            recorded.request(START, 1, session_id="long"),
            recorded.request(START + HOUR // 2, 2, session_id="long"),
            recorded.request(START + HOUR // 2, None, session_id="long"),
            recorded.request(START + HOUR, 4, session_id="long"),
            recorded.request(START + HOUR, 8, session_id="long", counted=False),
            recorded.request(START + HOUR, 16, session_id="LONG"),
            replace(recorded.request(START, session_id="plan", counted=False), cost=equivalent),
        ]
    )
    assert trends(recorded, RequestQuery()) == {
        "long": {0: 1, STEPS // 2 - 1: 2, STEPS - 1: 4},
        "LONG": {0: 16},
        "plan": {0: 7},
    }
    assert trends(recorded, RequestQuery(filter=parse_filter("cost>0.000000003"))) == {"long": {0: 4}, "LONG": {0: 16}}


def test_no_session_is_no_question(recorded: Recorded) -> None:
    assert trends(recorded, RequestQuery(since=START + HOUR)) == {}
