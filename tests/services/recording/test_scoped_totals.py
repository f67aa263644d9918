from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import delete

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.requests.request import Request, Usage
from spendtop.domain.sources.records import HELICONE_API
from spendtop.services.recording import scoped_totals
from spendtop.services.recording.scoped_totals import rebuild_changed
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.conftest import SettableClock
from tests.services.conftest import (
    Collecting,
    Sums,
    clear,
    day_sums,
    hour_sums_by_day,
    limit,
    request,
    sum_hours,
    totals,
)

START = 1_795_000_000_000_000 // HOUR * HOUR
LIMITS = (
    limit("not mini", where="-model:gpt-4o-mini"),
    limit("glob", where="model:gpt-*", each=Each.USER),
    limit("jörg", where="user:JÖRG", each=Each.MODEL),
    limit("either", where="(user:alice or provider:openai) -session:s-1", each=Each.SESSION),
    limit("reserved", reserve="gpt-4o"),
    limit("reserved users", reserve="gpt-4o", each=Each.USER, where="user:*"),
    limit("families", each=Each.MODEL_FAMILY),
    limit("alice's families", each=Each.MODEL_FAMILY, where="user:alice"),
    limit("reserved families", reserve="gpt-4o", each=Each.MODEL_FAMILY),
    limit("single", "request", where="user:alice"),
    limit("plain"),
)
CEILING = Price.of({"input_tokens": Rate(3_000_000_000_000), "output_tokens": Rate(5_000_000_000_000)})
DEARER = Price.of({"input_tokens": Rate(30_000_000_000_000), "output_tokens": Rate(50_000_000_000_000)})


def reserves(price: Price) -> dict[str, Price]:
    return {one.name: price for one in LIMITS if one.reserve}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    return request(
        draw(st.integers(0, 20)),
        START + draw(st.integers(0, 3 * HOUR)),
        draw(st.none() | st.integers(0, 10**12)),
        usage=Usage(prompt=draw(st.none() | st.integers(0, 99)), completion=draw(st.none() | st.integers(0, 99))),
        user_id=draw(st.sampled_from([None, "alice", "ALICE", "jörg", "Jörg", "100%"])),
        model=draw(st.sampled_from([None, "gpt-4o", "openai/GPT-4o-2024-08-06", "gpt-4o-mini", "o3"])),
        provider=draw(st.sampled_from([None, "openai"])),
        session_id=draw(st.sampled_from([None, "s-1", "s-2"])),
        counted=draw(st.sampled_from([True, True, False])),
    )


def own(store: Store) -> Sums:
    return {key: values for key, values in totals(store).items() if key[0].startswith("limit/")}


def rebuild(store: Store, collector: Collecting) -> list[str]:
    with store.writing() as connection:
        return rebuild_changed(connection, collector.book)


def collector(store: Store, clock: SettableClock, *limits: Limit, price: Price = CEILING) -> Collecting:
    return Collecting(store, clock, *limits, reserves=reserves(price))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(drawn=st.lists(requests(), max_size=15))
def test_totals_made_afterwards_are_those_that_recording_makes(
    store: Store, clock: SettableClock, drawn: list[Request]
) -> None:
    clear(store)
    collector(store, clock, *LIMITS).record(*drawn)
    recorded = own(store)
    clear(store)
    collector(store, clock).record(*drawn)
    assert own(store) == {}
    made = rebuild(store, collector(store, clock, *LIMITS))
    assert made == [one.name for one in LIMITS[:-2]]
    assert own(store) == recorded
    assert rebuild(store, collector(store, clock, *LIMITS)) == []


def test_totals_of_a_limit_that_is_gone_go_and_those_of_the_others_stay(store: Store, clock: SettableClock) -> None:
    both = collector(store, clock, *LIMITS[:2])
    rebuild(store, both)
    both.record(request(1, START, user_id="a", model="gpt-4o"))
    assert rebuild(store, collector(store, clock, LIMITS[0])) == []
    assert {dimension for dimension, _, _ in own(store)} == {LIMITS[0].dimension}
    assert rebuild(store, collector(store, clock)) == []
    assert own(store) == {}


def test_totals_that_were_begun_before_they_were_made_are_made_whole(store: Store, clock: SettableClock) -> None:
    collector(store, clock).record(request(1, START))
    collector(store, clock, LIMITS[0]).record(request(2, START))
    assert rebuild(store, collector(store, clock, LIMITS[0])) == ["not mini"]
    assert own(store)[LIMITS[0].dimension, "", START][0] == 2


def test_a_new_price_of_the_reserve_counts_for_all_and_corrections_take_out_what_was_put_in(
    store: Store, clock: SettableClock
) -> None:
    reserved = LIMITS[4]
    usage = Usage(prompt=1, completion=1)
    before = collector(store, clock, reserved)
    rebuild(store, before)
    before.record(request(1, START, None, usage=usage), request(2, START, None, usage=usage))
    assert own(store)[reserved.dimension, "", START][1] == 16
    after = collector(store, clock, reserved, price=DEARER)
    assert rebuild(store, after) == ["reserved"]
    assert own(store)[reserved.dimension, "", START][1] == 160
    after.record(replace(request(1, START, 7, usage=usage), source=HELICONE_API))
    assert own(store)[reserved.dimension, "", START][1] == 87


def test_a_limit_without_requests_is_made_once(store: Store, clock: SettableClock) -> None:
    assert rebuild(store, collector(store, clock, LIMITS[0])) == ["not mini"]
    assert rebuild(store, collector(store, clock, LIMITS[0])) == []


def test_requests_of_several_collectors_are_summed(store: Store, clock: SettableClock) -> None:
    for slot in (0, 7):
        Collecting(store, clock, slot=slot).record(request(slot, START))
    rebuild(store, collector(store, clock, LIMITS[0]))
    assert own(store)[LIMITS[0].dimension, "", START][:2] == (2, 2 * 10**9)


def test_their_totals_by_day_are_made_and_go_with_them(store: Store, clock: SettableClock) -> None:
    collector(store, clock).record(*(request(number, START + number * DAY, user_id="jörg") for number in range(4)))
    sum_hours(store, START + 2 * DAY + HOUR)
    rebuild(store, collector(store, clock, LIMITS[0]))
    assert day_sums(store) == hour_sums_by_day(store)
    rebuild(store, collector(store, clock, LIMITS[1]))
    assert day_sums(store) == hour_sums_by_day(store)
    assert {dimension for dimension, _, _ in day_sums(store) if dimension.startswith("limit/")} == set()
    rebuild(store, collector(store, clock, LIMITS[0]))
    assert {dimension for dimension, _, _ in day_sums(store) if dimension.startswith("limit/")} == {LIMITS[0].dimension}


def test_totals_of_families_are_made_of_what_is_purged_too(store: Store, clock: SettableClock) -> None:
    collector(store, clock).record(request(1, START, model="gpt-4o"), request(2, START, model="gpt-4o-latest"))
    with store.writing() as connection:
        connection.execute(delete(table_of(RequestTable)))
    families = limit("families", each=Each.MODEL_FAMILY)
    rebuild(store, collector(store, clock, families))
    assert own(store)[families.dimension, "gpt-4o", START][:2] == (2, 2 * 10**9)


def test_other_rules_of_what_a_family_is_make_its_totals_anew(
    store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    families = collector(store, clock, limit("families", each=Each.MODEL_FAMILY), limit("users", each=Each.USER))
    assert rebuild(store, families) == ["families"]
    assert rebuild(store, families) == []
    monkeypatch.setattr(scoped_totals, "RULES", "other")
    assert rebuild(store, families) == ["families"]
