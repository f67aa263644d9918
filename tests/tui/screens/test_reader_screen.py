"""The pace of reading."""

from __future__ import annotations

from spendtop.tui.screens.reader_screen import STALE_SECONDS, Pace


def test_the_first_news_after_a_quiet_while_is_read_at_once() -> None:
    assert Pace(0.3).news(100.0) == 0.0


def test_a_stream_is_read_at_the_interval() -> None:
    pace = Pace(0.3)
    pace.news(100.0)
    pace.start(100.0)
    assert pace.finish(100.02) is None
    delay = pace.news(100.1)
    assert delay is not None
    assert abs(delay - 0.2) < 1e-9


def test_news_during_a_read_leads_to_one_more() -> None:
    pace = Pace(0.3)
    pace.news(100.0)
    pace.start(100.0)
    assert pace.news(100.01) is None
    assert pace.news(100.02) is None
    assert pace.finish(100.5) == 0.0
    assert pace.news(100.5) is None


def test_an_old_picture_is_stale() -> None:
    pace = Pace(0.3)
    pace.news(100.0)
    pace.start(100.0)
    assert not pace.stale(100.0 + 2 * STALE_SECONDS)
    pace.finish(100.1)
    assert not pace.stale(101.0)
    assert pace.stale(100.0 + STALE_SECONDS)
