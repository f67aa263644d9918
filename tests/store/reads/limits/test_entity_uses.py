from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.uses import Use, use
from tests.store.conftest import Recorded
from tests.store.reads.limits.test_uses import LIMITS, entities
from tests.store.reads.random_requests import MANY, START, Drawn, many_drawn, spans


@MANY
@given(many_drawn, spans, st.sampled_from(LIMITS))
def test_says_what_one_at_a_time_says(
    recorded: Recorded, requests: list[Drawn], span: tuple[int | None, int | None], rule: Limit
) -> None:
    recorded.clear()
    recorded.add([one.request(recorded) for one in requests], LIMITS)
    uses = EntityUses()
    with recorded.store.reading() as connection:
        expected = {entity: use(connection, rule, entity, Bounds(*span)) for entity in entities(rule)}
        for _ in range(2):
            assert uses.uses(connection, rule, entities(rule), Bounds(*span)) == expected


@pytest.mark.parametrize("count", [1, 3, 700])
def test_takes_any_number_of_names_of_a_family(recorded: Recorded, count: int) -> None:
    (rule,) = (limit for limit in LIMITS if limit.name == "families")
    names = [f"o3@{number}" for number in range(count)]
    recorded.add([*(recorded.request(START + 1, 5, model=name) for name in names), recorded.request(START + 1)], [rule])
    edge = Bounds(START + 1, START + 2)
    with recorded.store.reading() as connection:
        assert EntityUses().uses(connection, rule, ["o3", "o4"], edge) == {
            "o3": Use(Usd(5 * count), 0),
            "o4": Use(Usd(0), 0),
        }
        assert use(connection, rule, "o3", edge).used == Usd(5 * count)


@pytest.mark.parametrize("count", [1, 3, 512, 700])
def test_takes_any_number_of_entities(recorded: Recorded, count: int) -> None:
    (rule,) = (limit for limit in LIMITS if limit.name == "each")
    recorded.add([recorded.request(START + number, number, user_id=f"user {number}") for number in range(count)])
    wanted = [f"user {number}" for number in range(count + 1)]
    for bounds in (Bounds(None, None), Bounds(START - 1, START + count)):
        with recorded.store.reading() as connection:
            uses = EntityUses().uses(connection, rule, wanted, bounds)
        used = {entity: use.used.nano for entity, use in uses.items()}
        assert used == {**{f"user {number}": number for number in range(count)}, wanted[-1]: 0}
