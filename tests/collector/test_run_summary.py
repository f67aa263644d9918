from __future__ import annotations

import pytest

from spendtop.collector.run_summary import RunSummary
from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.services.recording.transaction import Outcome
from tests.services.conftest import request


@pytest.mark.parametrize(
    ("length", "words"), [(59 * SECOND, "59 s"), (61 * SECOND, "1 min"), (26 * HOUR + 3 * MINUTE, "26 h 3 min")]
)
def test_the_last_words_say_what_came_of_the_run(length: int, words: str) -> None:
    summary = RunSummary(MINUTE)
    new = Outcome("stored", 1, request(1, MINUTE, 5))
    summary.recorded([new] * 1_200)
    summary.recorded([Outcome("stored", 1), Outcome("duplicate", 1), Outcome("quarantined", 1), new])
    summary.announced(1)
    assert summary.farewell(MINUTE + length, 0) == (
        f"Stopped after {words}: 1,201 requests recorded, 2 further reports, 1 set aside, 1 alert told,"
        " 0 messages sent. Goodbye."
    )
