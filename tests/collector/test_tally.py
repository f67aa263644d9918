from __future__ import annotations

import pytest

from spendtop.collector.tally import Tally
from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.services.recording import Outcome
from tests.services.conftest import request


@pytest.mark.parametrize(
    ("length", "words"), [(59 * SECOND, "59 s"), (61 * SECOND, "1 min"), (26 * HOUR + 3 * MINUTE, "26 h 3 min")]
)
def test_the_last_words_say_what_came_of_the_run(length: int, words: str) -> None:
    tally = Tally(MINUTE)
    new = Outcome("stored", 1, request(1, MINUTE, 5))
    tally.recorded([new] * 1_200)
    tally.recorded([Outcome("stored", 1), Outcome("duplicate", 1), new])
    tally.announced(1)
    assert tally.farewell(MINUTE + length, 0) == (
        f"Stopped after {words}: 1,201 requests recorded, 2 further reports, 1 alert told, 0 messages sent. Goodbye."
    )
