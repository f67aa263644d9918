"""When the alert of a limit speaks again."""

from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.alerting.speaking import Occasion, SpeaksAgain, speaks_again
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import parse_window

END = 1_000


def limit(window: str, **fields: Any) -> Limit:
    return Limit(name="one", window=parse_window(window), amount=Usd.of("10"), warn=(0.5, 0.8), **fields)


@pytest.mark.parametrize(
    ("window", "announced", "end", "falls", "expected"),
    [
        ("day", 0.5, END, 0, SpeaksAgain(occasion=Occasion.THRESHOLD, fraction=0.8)),
        ("day", 0.8, END, 0, SpeaksAgain(occasion=Occasion.THRESHOLD, fraction=1.0)),
        ("day", 1.0, END, 0, SpeaksAgain(occasion=Occasion.WINDOW, at=END)),
        ("day", 0.5, END, 4, SpeaksAgain(occasion=Occasion.WINDOW, at=END)),
        ("24h", 0.8, None, 0, SpeaksAgain(occasion=Occasion.THRESHOLD, fraction=1.0)),
        ("24h", 1.0, None, 0, SpeaksAgain(occasion=Occasion.FALL, fraction=0.9)),
        ("24h", 0.5, None, 4, SpeaksAgain(occasion=Occasion.CALM)),
        ("session", 0.8, None, 0, SpeaksAgain(occasion=Occasion.THRESHOLD, fraction=1.0)),
        ("session", 1.0, None, 0, SpeaksAgain(occasion=Occasion.NEVER)),
        ("lifetime", 1.0, None, 0, SpeaksAgain(occasion=Occasion.NEVER)),
        ("request", 1.0, END, 0, SpeaksAgain(occasion=Occasion.NEVER)),
    ],
)
def test_it_speaks_again_at_the_next_threshold_or_window_or_never(
    window: str, announced: float, end: int | None, falls: int, expected: SpeaksAgain
) -> None:
    each = Each.SESSION if window == "session" else None
    assert speaks_again(limit(window, each=each), announced, end, falls) == expected
