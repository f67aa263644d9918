from __future__ import annotations

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.sources.records import OTLP
from spendtop.store.engine import Store
from spendtop.store.reads.agents.blocks import open_blocks
from tests.services.conftest import request
from tests.services.recording.test_plan_calls import START, Desk, call

NOON = START + 40 * DAY


def test_open_blocks_are_told_by_agent_and_user_with_their_pace(store: Store) -> None:
    Desk(store).record(
        call("old", NOON - 9 * HOUR, user_id="mira"),
        call("a", NOON - 2 * HOUR - 30 * MINUTE, user_id="mira"),
        call("b", NOON - MINUTE, user_id="mira"),
        call("c", NOON - 7 * HOUR, user_id="noor"),
        call("d", NOON - MINUTE, user_id="noor", source=OTLP, properties={"agent": "codex"}),
        request(1, NOON - MINUTE, 10**9, model="m"),
    )
    with store.reading() as connection:
        first, second = open_blocks(connection, NOON)
        assert open_blocks(connection, NOON + DAY) == ()
    assert (first.agent, first.user.raw, first.calls, first.equivalent) == ("claude-code", "mira", 2, Usd(46))
    assert (first.begins_at, first.ends_at) == (NOON - 3 * HOUR, NOON + 2 * HOUR)
    assert first.pace(NOON) == Usd(15)
    assert (second.agent, second.user.raw, second.begins_at) == ("codex", "noor", NOON - HOUR)


def test_use_without_a_pause_is_cut_every_five_hours(store: Store) -> None:
    calls = [call(f"call-{hour}", NOON - hour * HOUR + MINUTE, user_id="mira") for hour in range(1, 60)]
    Desk(store).record(*calls)
    with store.reading() as connection:
        (block,) = open_blocks(connection, NOON)
    assert (block.begins_at - calls[-1].occurred_at + MINUTE) % (5 * HOUR) == 0
    assert block.ends_at > NOON
