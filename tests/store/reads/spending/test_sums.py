from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.model_names import family
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.sums import by_key, of_family, per_bucket, spend
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import MANY, START, Drawn, brute_force, many_drawn, spans, within

KEYS: dict[str, Callable[[Drawn], str | None]] = {
    "user": lambda one: one.user or "",
    "model": lambda one: one.model or "",
    "session": lambda one: one.session,
    "model_family": lambda one: family(one.model or ""),
}


class TestSpend:
    @MANY
    @given(many_drawn, spans)
    def test_is_exact_at_any_instant(
        self, recorded: Recorded, requests: list[Drawn], span: tuple[int | None, int | None]
    ) -> None:
        recorded.clear()
        recorded.add(one.request(recorded) for one in requests)
        inside = [one for one in requests if within(*span, one.occurred_at)]
        with recorded.store.reading() as connection:
            assert spend(connection, *span) == brute_force(inside)
            for key in ("", "alice", "Alice", "jörg"):
                expected = brute_force(one for one in inside if (one.user or "") == key)
                assert spend(connection, *span, "user", key) == expected

    @MANY
    @given(many_drawn, spans)
    def test_by_key_is_exact_and_its_rest_is_what_is_missing(
        self, recorded: Recorded, requests: list[Drawn], span: tuple[int | None, int | None]
    ) -> None:
        recorded.clear()
        recorded.add(one.request(recorded) for one in requests)
        inside = [one for one in requests if one.counted and within(*span, one.occurred_at)]
        with recorded.store.reading() as connection:
            for dimension, key_of in KEYS.items():
                keys = {key for one in inside if (key := key_of(one)) is not None}
                sums = {key: brute_force(one for one in inside if key_of(one) == key) for key in keys}
                found = by_key(connection, dimension, *span, most=2)
                order = sorted(keys, key=lambda key: (-sums[key].cost.nano, -sums[key].requests, key))
                assert [(row.key.raw, row.spend) for row in found.rows] == [(key, sums[key]) for key in order[:2]]
                assert found.other_keys == len(order[2:])
                assert found.others == sum((sums[key] for key in order[2:]), Spend.nothing())

    def test_many_small_models_can_be_the_largest_family(self, recorded: Recorded) -> None:
        many = [recorded.request(START + day, 5, model=f"o3-2025-04-{day:02}") for day in range(1, 29)]
        recorded.add([*many, recorded.request(START, 100, model="gpt-4o"), recorded.request(START, 9, model="tiny")])
        with recorded.store.reading() as connection:
            found = by_key(connection, "model_family", START, START + 40, most=1)
        assert [(row.key.raw, row.spend.cost.nano) for row in found.rows] == [("o3", 140)]
        assert (found.others.cost.nano, found.other_keys) == (109, 2)

    def test_a_family_is_told_by_its_exact_names(self, recorded: Recorded) -> None:
        names = ("gpt-4o", "openai/gpt-4o-2024-08-06", "gpt-4o-mini")
        recorded.add(recorded.request(START, cost, model=name) for cost, name in enumerate(names))
        with recorded.store.reading() as connection:
            found = of_family(connection, "gpt-4o", START, START + HOUR)
            assert of_family(connection, "", START, START + HOUR) == ()
        assert [(row.key.raw, row.spend.cost.nano) for row in found] == [
            ("openai/gpt-4o-2024-08-06", 1),
            ("gpt-4o", 0),
        ]

    def test_takes_a_key_as_a_breakdown_gives_it(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START + 1, user_id="al\x1b[31mice")])
        with recorded.store.reading() as connection:
            (row,) = by_key(connection, "user", None, None, 5).rows
            assert spend(connection, None, None, "user", row.key).requests == 1
            assert row.key == Untrusted("al\x1b[31mice")

    def test_sums_all_shards(self, recorded: Recorded) -> None:
        other = Recorded(recorded.store)
        other._ids.slot = 9
        recorded.add([recorded.request(START + 1, 5)])
        other.add([other.request(START + 2, 7, external_id="elsewhere")])
        with recorded.store.reading() as connection:
            assert spend(connection, START, START + HOUR).cost == Usd(12)

    @pytest.mark.parametrize("span", [(START, START), (START + HOUR, START), (START + 5, START + 5)])
    def test_of_an_empty_span_is_nothing(self, recorded: Recorded, span: tuple[int, int]) -> None:
        recorded.add([recorded.request(START), recorded.request(START + 5)])
        with recorded.store.reading() as connection:
            assert spend(connection, *span) == Spend.nothing()
            assert by_key(connection, "user", *span, most=3).rows == ()

    def test_average_leaves_unpriced_requests_out(self, recorded: Recorded) -> None:
        recorded.add([recorded.request(START, 10), recorded.request(START, 15), recorded.request(START, None)])
        with recorded.store.reading() as connection:
            found = spend(connection, None, None)
        assert (found.requests, found.unpriced, found.average) == (3, 1, Usd(12))
        assert Spend.nothing().average is None


class TestPerBucket:
    @pytest.mark.parametrize("step", [MINUTE, 7 * MINUTE, HOUR, 2 * HOUR])
    def test_puts_every_request_into_its_step(self, recorded: Recorded, step: int) -> None:
        instants = [START + offset for offset in (0, MINUTE - 1, MINUTE, HOUR - 1, HOUR, 3 * HOUR + 17 * MINUTE)]
        recorded.add(recorded.request(at) for at in instants)
        with recorded.store.reading() as connection:
            buckets = per_bucket(connection, START, START + 4 * HOUR, step)
        counts: dict[int, int] = {}
        for at in instants:
            start = START + (at - START) // step * step
            counts[start] = counts.get(start, 0) + 1
        assert {bucket.start: bucket.spend.requests for bucket in buckets} == counts
        assert [bucket.start for bucket in buckets] == sorted(counts)

    def test_begins_at_since_so_that_local_days_fit(self, recorded: Recorded) -> None:
        half_past = START + 30 * MINUTE
        recorded.add(recorded.request(at) for at in (START, half_past, half_past + HOUR - 1, half_past + HOUR))
        with recorded.store.reading() as connection:
            buckets = per_bucket(connection, half_past, half_past + 2 * HOUR, HOUR)
        assert [(bucket.start, bucket.spend.requests) for bucket in buckets] == [
            (half_past, 2),
            (half_past + HOUR, 1),
        ]
