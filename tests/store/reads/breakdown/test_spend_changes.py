from __future__ import annotations

from typing import Any

from spendtop.domain.breakdown.dimensions import dimension
from spendtop.domain.breakdown.spend_change import Cause
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.requests.request import Request, Status, Usage
from spendtop.domain.windows import Calendar
from spendtop.store.reads.breakdown.breakdown import Times
from spendtop.store.reads.breakdown.dimension_sql import ModelUseGrouping, RowUseGrouping
from spendtop.store.reads.breakdown.spend_changes import ChangeReading
from spendtop.store.reads.spending.bucket_spans import Span
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

TIMES = Times(Span(START + DAY, START + 2 * DAY), Span(START, START + DAY), START + 2 * DAY)


def billed(recorded: Recorded, at: int, prompt: int, cached: int, output: int, **fields: Any) -> Request:
    """At 80 nano-USD per token of the answer, 20 per token of the prompt, 2 where that was cached."""
    cost = 20 * (prompt - cached) + 2 * cached + 80 * output
    usage = Usage(prompt=prompt, completion=output, cache_read=cached)
    return recorded.request(at, cost, usage=usage, **{"model": "gpt-4o", **fields})


def test_longer_answers_and_more_requests_are_told_apart_and_add_up(recorded: Recorded) -> None:
    lengths = [(500, 100, 40), (900, 0, 70), (120, 110, 5), (333, 33, 33)]
    before = [billed(recorded, START + n * 5 * HOUR, *each) for n, each in enumerate(lengths)]
    after = [
        billed(recorded, START + DAY + n * 2 * HOUR, prompt, cached, output + 10)
        for n, (prompt, cached, output) in enumerate(lengths * 2)
    ]
    unpriced = recorded.request(START + DAY + 5, None, model="gpt-4o", usage=Usage(prompt=10**6, completion=1))
    new = billed(recorded, START + DAY + 7, 100, 0, 1, model="o3")
    recorded.add([*before, *after, unpriced, new])
    change = ChangeReading(ModelUseGrouping()).read(recorded.store, TIMES, lambda: True)
    assert change is not None
    volume = sum(one.cost.amount.nano for one in before if one.cost.amount)
    assert {cause: amount.nano for cause, amount in change.causes.items() if amount.nano} == {
        Cause.VOLUME: volume,
        Cause.OUTPUT: 8 * 10 * 80,
        Cause.NEW: 2_080,
    }


def test_nothing_is_said_without_a_time_to_compare_with_or_once_it_is_ended(recorded: Recorded) -> None:
    recorded.add([billed(recorded, START + DAY + 5, 100, 0, 1)])
    alone = Times(TIMES.span, None, TIMES.now)
    assert ChangeReading(ModelUseGrouping()).read(recorded.store, alone, lambda: True) is None
    assert ChangeReading(ModelUseGrouping()).read(recorded.store, TIMES, lambda: False) is None


def test_answers_of_the_gateways_cache_are_the_caches_doing_and_failures_are_left_out(recorded: Recorded) -> None:
    before = [billed(recorded, START + n, 100, 0, 1) for n in range(4)]
    after = [billed(recorded, START + DAY + n, 100, 0, 1) for n in range(2)]
    hits = [recorded.request(START + DAY + n, 0, cached=True, model="gpt-4o") for n in (5, 6)]
    failed = recorded.request(START + DAY + 9, 0, status=Status.ERROR, model="gpt-4o")
    recorded.add([*before, *after, *hits, failed])
    change = ChangeReading(ModelUseGrouping()).read(recorded.store, TIMES, lambda: True)
    assert change is not None
    assert {cause: amount.nano for cause, amount in change.largest_first} == {Cause.CACHE: -2 * 2_080}


def test_the_change_of_one_row_is_of_its_requests_alone_whatever_rows_are_by(recorded: Recorded) -> None:
    mine: dict[str, Any] = {"user_id": "alice", "properties": {"env": "prod"}, "session_id": "pr-7"}
    theirs: dict[str, Any] = {"user_id": "Alice", "properties": {"env": "dev"}, "session_id": "ci-7", "model": "o3"}
    before = [
        billed(recorded, START + 2 * HOUR, 100, 0, 1, **mine),
        billed(recorded, START + 3 * HOUR, 500, 0, 9, **theirs),
    ]
    after = [billed(recorded, START + DAY + 2 * HOUR + n, 100, 0, 1, **mine) for n in range(3)]
    recorded.add([*before, *after, billed(recorded, START + DAY + 3 * HOUR, 900, 0, 9, **theirs)])
    hour = f"{Calendar().local(START + 2 * HOUR):%H}"
    rows = {"user": "alice", "prop.env": "prod", "session_prefix": "pr-", "model_family": "gpt-4o", "hour": hour}
    for name, key in rows.items():
        grouping = RowUseGrouping(dimension(name), key, {"gpt-4o"}, Calendar())
        change = ChangeReading(grouping).read(recorded.store, TIMES, lambda: True)
        assert change is not None
        assert {cause: amount.nano for cause, amount in change.largest_first} == {Cause.VOLUME: 2 * 2_080}, name
