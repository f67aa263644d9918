from __future__ import annotations

import pytest

from spendtop.collector.agents.stride import ALONE, BESIDE_OTHERS
from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.sources.agents.scan import AgentRoot, FileRead


def reads(*sizes: int) -> list[FileRead]:
    root = AgentRoot("codex", "/home/mira/.codex")
    call = AgentCall(agent="codex", key="k", occurred_at=1, begun_at=1, model="gpt-5", counts=Counts(fresh=1))
    return [FileRead(root, f"{number}.jsonl", None, [call] * size) for number, size in enumerate(sizes)]


def test_little_is_recorded_together_beside_others() -> None:
    several = reads(25, 25, 20, 5, 25)
    assert len(ALONE.part(several)) == 5
    assert len(BESIDE_OTHERS.part(several)) == 1
    assert len(BESIDE_OTHERS.part(several[2:])) == 2


@pytest.mark.parametrize("sizes", [(300,), (300, 1), (0, 0, 0)])
def test_a_part_holds_something_however_large_that_is(sizes: tuple[int, ...]) -> None:
    assert len(BESIDE_OTHERS.part(reads(*sizes))) == (3 if sizes[0] == 0 else 1)


def test_others_have_four_fifths_of_the_time_but_never_all() -> None:
    assert (ALONE.rest(60.0), BESIDE_OTHERS.rest(0.02), BESIDE_OTHERS.rest(60.0)) == (0.0, 0.08, 1.0)
