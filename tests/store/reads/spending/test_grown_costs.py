from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Cost, Request
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.totals import TotalsByDifference
from spendtop.store.day_totals import TotalsAddition
from spendtop.store.reads.spending.grown_costs import LOWERED, grown_costs
from tests.store.conftest import Recorded

AT = 1_795_000_000_000_000
HOUR = 3_600_000_000


def costing(request: Request, nano: int | None, hour: int, model: str) -> Request:
    amount = None if nano is None else Usd(nano)
    cost = Cost(amount=amount, basis=Basis.UNKNOWN if amount is None else Basis.REPORTED, reported=amount)
    return replace(request, cost=cost, model=model, occurred_at=AT + hour * HOUR)


def change(recorded: Recorded, old: Request | None, new: Request | None) -> None:
    totals = TotalsByDifference(LimitBook((), Calendar(), {}))
    if old is not None:
        totals.remove(old)
    if new is not None:
        totals.add(new, 1)
    with recorded.store.writing() as connection:
        TotalsAddition(connection.dialect).run(connection, totals.rows(0))


def counters(recorded: Recorded) -> dict[tuple[str, str], tuple[int, int]]:
    with recorded.store.reading() as connection:
        return {
            (dimension, each.key.raw): (each.raised.nano, each.lowered.nano)
            for dimension in LOWERED
            for each in grown_costs(connection, dimension, 10)
        }


STATES = st.lists(
    st.none() | st.tuples(st.none() | st.integers(0, 50), st.integers(0, 2), st.sampled_from("ab")), max_size=6
)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATES)
def test_counters_never_fall_and_their_difference_is_what_was_spent(
    recorded: Recorded, states: Sequence[tuple[int | None, int, str] | None]
) -> None:
    recorded.clear()
    template, before = recorded.request(AT, provider="p"), counters(recorded)
    standing: Request | None = None
    for state in states:
        following = None if state is None else costing(template, *state)
        change(recorded, standing, following)
        standing, after = following, counters(recorded)
        for key, (raised, lowered) in before.items():
            now = after.get(key, (0, 0))
            assert now[0] >= raised and now[1] >= lowered
        before = after
    spent = {key: raised - lowered for key, (raised, lowered) in before.items()}
    nano = 0 if standing is None or standing.cost.amount is None else standing.cost.amount.nano
    for dimension in LOWERED:
        assert sum(amount for (of, _), amount in spent.items() if of == dimension) == nano


def test_a_request_that_only_moves_in_time_changes_nothing(recorded: Recorded) -> None:
    template = recorded.request(AT, provider="p")
    change(recorded, None, costing(template, 5, 0, "a"))
    before = counters(recorded)
    change(recorded, costing(template, 5, 0, "a"), costing(template, 5, 2, "a"))
    assert (
        counters(recorded)
        == before
        == {("model", "a"): (5, 0), ("provider", "p"): (5, 0), ("source", "helicone"): (5, 0)}
    )


def test_what_was_never_priced_has_no_counter(recorded: Recorded) -> None:
    change(recorded, None, costing(recorded.request(AT), None, 0, "a"))
    assert counters(recorded) == {}
