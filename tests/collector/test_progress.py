"""What the watchdog is told: whether writer and evaluator move."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from spendtop.collector.progress import STUCK_AFTER, progress

LONG = STUCK_AFTER + 1


@dataclass
class Moving:
    still_for: float = 0.0
    held_up_for: float = 0.0
    alive: bool = True


@pytest.mark.parametrize(
    ("writer", "evaluator", "moves"),
    [
        (Moving(), Moving(), True),
        (Moving(still_for=STUCK_AFTER - 1), Moving(), True),
        (Moving(still_for=LONG, held_up_for=LONG), Moving(), False),
        (Moving(still_for=4.0, held_up_for=3600.0), Moving(still_for=3600.0), True),
        (Moving(), Moving(still_for=LONG), False),
        (Moving(held_up_for=2.0), Moving(still_for=3600.0), False),
        (Moving(alive=False), Moving(), False),
    ],
    ids=["idle", "at work", "stuck write", "locked store", "stuck evaluator", "stuck evaluator, busy writer", "ended"],
)
def test_who_waits_for_a_locked_store_moves_and_who_takes_no_step_does_not(
    writer: Moving, evaluator: Moving, moves: bool
) -> None:
    assert progress(writer, evaluator)() is moves


def test_what_is_stuck_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    writer = Moving(still_for=LONG)
    is_moving = progress(writer, Moving())
    assert not is_moving() and not is_moving()
    assert caplog.messages == [
        "the writer has taken no step for 61 s: systemd hears no sign of life until that changes"
    ]
    writer.still_for = 0.0
    assert is_moving()
