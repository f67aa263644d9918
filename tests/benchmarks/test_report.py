from __future__ import annotations

from tests.benchmarks.__main__ import PAGE, TOLD
from tests.benchmarks.report import kept_sections


def test_the_page_says_of_each_missed_goal_what_the_limit_is() -> None:
    missed = [figure for section in kept_sections(PAGE) for figure in section.figures if not figure.is_reached]
    unexplained = [figure.name for figure in missed if TOLD.limit(figure) is None]
    assert not unexplained, unexplained


def test_limits_lead_to_notes_that_are_there() -> None:
    for limit in TOLD.limits.values():
        for part in limit.split("*")[1::2]:
            assert f"*{part}" in TOLD.notes, part


def test_no_limit_is_told_of_what_reaches_its_goal() -> None:
    figures = [figure for section in kept_sections(PAGE) for figure in section.figures]
    missed = [figure.name for figure in figures if not figure.is_reached]
    untrue = [name for name in TOLD.limits if not any(figure.startswith(name) for figure in missed)]
    assert not untrue, untrue
