"""How well forecasts do on the seeded months.

    python -m tests.domain.forecast_figures

prints for each kind of window and each regime how many ends the bands hold, how far the middle is off on average, as a
share of what such a window usually spends, and the same of the linear run rate.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import NamedTuple

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.limits.forecast import PAST_DAYS as KNOWN_DAYS
from spendtop.domain.limits.forecast import Outlook
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar, parse_window
from tests.domain.forecast_months import PAST_DAYS, Question, SeededMonth, months, questions

_MONDAY = 20_759 * DAY
"""2 November 2026, UTC µs."""
_UTC = Calendar()
_LIMIT = Usd(10**18)


class Answer(NamedTuple):
    month: SeededMonth
    question: Question
    is_held: bool
    off: float
    """As a share of what such a window usually spends."""
    linear_off: float


def answers(asked: Iterable[SeededMonth]) -> Iterator[Answer]:
    for month in asked:
        a_day = month.between(0, PAST_DAYS * 24) / PAST_DAYS
        for question in questions(month):
            usual = a_day * (question.end - question.begin) / 24
            yield _answer(month, question, usual)


def _answer(month: SeededMonth, question: Question, usual: float) -> Answer:
    now = _MONDAY + question.now * HOUR
    known = range(max(0, question.now - KNOWN_DAYS * 24), question.now)
    outlook = Outlook({_MONDAY + hour * HOUR: month.hours[hour] for hour in known}, now, _UTC)
    bounds = Bounds(_MONDAY + question.begin * HOUR, _MONDAY + question.end * HOUR)
    used = Usd(month.between(question.begin, question.now))
    found = outlook.forecast(_LIMIT, used, parse_window(question.kind), bounds)
    assert found is not None and found.end is not None and found.linear is not None
    assert found.end_low is not None and found.end_high is not None
    came = month.between(question.begin, question.end)
    return Answer(
        month,
        question,
        found.end_low.nano <= came <= found.end_high.nano,
        abs(found.end.nano - came) / usual,
        abs(found.linear.nano - came) / usual,
    )


def main() -> None:
    by_name: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers(months()):
        for name in ("all", answer.question.kind, answer.month.regime):
            by_name[name].append(answer)
    for name, given in by_name.items():
        held, off, linear = (fmean(each) for each in zip(*(answer[2:] for answer in given), strict=True))
        sys.stdout.write(f"{name:12} holds {held:.3f}  off {off:.3f}  linear off {linear:.3f}  of {len(given)}\n")


if __name__ == "__main__":
    main()
