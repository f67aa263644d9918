from __future__ import annotations

from spendtop.domain.agents.plan_windows import PlanWindow, newest
from spendtop.domain.clock import HOUR, MINUTE


def window(minutes: int = 300, at: int = 0, used: float = 1.0, resets_at: int | None = None) -> PlanWindow:
    return PlanWindow(agent="codex", minutes=minutes, used_percent=used, resets_at=resets_at, at=at)


def test_the_last_word_on_each_window_counts_in_any_order() -> None:
    first, last, week = window(at=1), window(at=2, used=0.5), window(10_080, at=1)
    assert newest([last, week, first]) == newest([first, last, week]) == [last, week]


def test_a_window_is_named_by_its_length_and_is_over_when_it_is_reset() -> None:
    assert [window(minutes).name for minutes in (300, 10_080, 90)] == ["5h", "7d", "90m"]
    assert [window(at=2, resets_at=5).stands(now) for now in (1, 2, 4, 5)] == [False, True, True, False]
    assert (window(at=MINUTE).stands(HOUR), window(at=MINUTE).stands(6 * HOUR)) == (True, False)
