from __future__ import annotations

from dataclasses import dataclass

import pytest

from spendtop.collector.held_writer import HELD_UP, held_up


@dataclass
class Writer:
    held_up_for: float
    hindrance: str = ""
    is_writing: bool = False


@pytest.mark.parametrize("seconds", [0.0, HELD_UP - 0.1])
def test_a_short_wait_is_nothing_amiss(seconds: float) -> None:
    assert held_up(Writer(seconds, "database is locked")) is None


@pytest.mark.parametrize(
    ("writer", "reason"),
    [
        (Writer(HELD_UP), "another program holds it"),
        (Writer(HELD_UP, "database is locked"), "another program holds it"),
        (Writer(HELD_UP, "canceling statement due to lock timeout\nCONTEXT: x"), "another program holds it"),
        (Writer(HELD_UP, "disk I/O error\x1b[2J"), "disk I/O error␛[2J"),
        (Writer(HELD_UP, "", is_writing=True), "One write takes more than 5 s"),
    ],
)
def test_a_long_one_is_said_with_its_reason(writer: Writer, reason: str) -> None:
    sentence = held_up(writer)
    assert sentence is not None and reason in sentence and sentence.isprintable()
