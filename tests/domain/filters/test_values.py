from __future__ import annotations

import pytest

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.filters.values import parse_since_until
from spendtop.domain.windows import Calendar

NOW = 1_763_640_187_000_000


def bounds(since: str, until: str) -> tuple[int | None, int | None]:
    found = parse_since_until(since, until).resolve(NOW, Calendar("UTC"))
    return found.start_us, found.end_us


def test_a_duration_is_so_long_ago_and_an_empty_side_is_open() -> None:
    assert bounds("24h", "") == (NOW - DAY, None)
    assert bounds("", "2h") == (None, NOW - 2 * HOUR)
    assert bounds("-24h", "2h") == (NOW - DAY, NOW - 2 * HOUR)


def test_a_date_at_the_end_counts_whole() -> None:
    since, until = bounds("2025-11-01", "2025-11-02")
    assert since is not None and until is not None
    assert until - since == 2 * DAY


@pytest.mark.parametrize(("since", "until"), [("", ""), ("soon", ""), ("..", ".."), ("1h..", "soon")])
def test_anything_else_is_refused(since: str, until: str) -> None:
    with pytest.raises(ValueError, match=r"time|range"):
        bounds(since, until)
