from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendtop.domain.clock import MINUTE
from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.reports.values import CallValue, value_of
from spendtop.domain.requests.request import Request, Usage
from spendtop.domain.sources.records import OTLP, source_named
from spendtop.services.recording import equal_calls
from spendtop.services.recording.alike import MOST, Alike
from spendtop.store.engine import Store
from tests.services.conftest import clear
from tests.services.recording.test_plan_calls import START, Desk, call

CODEX = source_named("codex")


def codex_call(number: int, session: str, cached: int, minute: int, by_file: bool) -> Request:
    usage = Usage(prompt=100, completion=7, cache_read=cached)
    fields = {} if by_file else {"properties": {"agent": "codex"}}
    source = CODEX if by_file else OTLP
    return call(f"c{number}", START + minute * MINUTE, source=source, session_id=session, usage=usage, **fields)


CALLS = st.lists(
    st.tuples(st.sampled_from("sst"), st.sampled_from([0, 0, 5]), st.integers(0, 30), st.booleans()), max_size=45
)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equal_calls, "_MOST", MOST + 1)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(told=CALLS, minutes=st.sets(st.integers(0, 30), min_size=1, max_size=3))
def test_a_value_finds_the_calls_that_it_would_find_among_all(
    store: Store, told: list[tuple[str, int, int, bool]], minutes: set[int]
) -> None:
    clear(store)
    desk = Desk(store)
    desk.record(*(codex_call(number, *each) for number, each in enumerate(told)))
    value = value_of(codex_call(0, "s", 0, 0, True))
    assert value is not None
    times, around = [START + minute * MINUTE for minute in minutes], 5 * MINUTE
    with store.writing() as connection:
        found = equal_calls.calls_of(connection, {value: times}, around)
    within = [each for each in desk.known() if any(abs(each.request.occurred_at - at) <= around for at in times)]
    assert named(found, value) == named(within, value)


def named(records: Iterable[StoredRequest], value: CallValue) -> set[int]:
    alike = Alike({each.id: each for each in records})
    for each in records:
        alike.note(each)
    return {each.id for each in alike.named(value)}


def test_so_many_equal_calls_that_they_tell_nothing_are_not_all_loaded(store: Store) -> None:
    Desk(store).record(*(codex_call(number, "s", 0, 0, True) for number in range(MOST + 9)))
    value = value_of(codex_call(0, "s", 0, 0, True))
    assert value is not None
    with store.writing() as connection:
        assert len(equal_calls.calls_of(connection, {value: [START]}, MINUTE)) == MOST + 1
        assert equal_calls.calls_of(connection, {value: [START + 3 * MINUTE]}, MINUTE) == []
        assert equal_calls.calls_of(connection, {}, MINUTE) == []
