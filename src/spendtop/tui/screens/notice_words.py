"""What the foot of every screen says before the screen's own remarks, the most important first."""

from __future__ import annotations

import re
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.clock import to_datetime
from spendtop.domain.config_slips import first_slip
from spendtop.domain.percent import times_of
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Piece, clip, fit_middle, length

if TYPE_CHECKING:
    from spendtop.tui.face import Face

_WHOSE = 24
"""Cells of a name."""
_WIDE = 100
"""Cells from which on amounts have room beside the screen's own remarks."""
_GAP: Piece = ("   ", Style())


class NoticeWords:
    """For a screen of this width."""

    def __init__(self, face: Face, width: int) -> None:
        self._face = face
        self._width = width

    def of_pause(self) -> Line:
        """How long the picture stands still, and what it misses; empty while it does not."""
        pause, palette = self._face.pause, self._face.palette
        if not pause:
            return ()
        seconds = formats.span(self._face.session.clock() - pause.since)
        words: Piece = (f" PAUSED {seconds}, {formats.grouped(pause.behind)} behind ", palette.banner)
        facts = self._face.status_facts()
        if not facts.records:
            return [words, ("  ", palette.text), (clean_line(facts.standing.sentence), palette.bad)]
        return [words, ("  p goes on; recording never stops", palette.muted)]

    def of_past(self) -> Line:
        """That all this is of before, and the way back; empty while it is not."""
        if not self._face.time_machine.is_past:
            return ()
        palette = self._face.palette
        return [(" THE PAST ", palette.banner), ("  ( earlier  ) later  :now goes back", palette.muted)]

    def important(self) -> Line:
        """What is amiss, what a changed configuration did, and what waits for a person."""
        waiting = self._waiting()
        return _spaced(self._amiss(waiting), self._config_outcome(waiting), waiting)

    def before(self, remarks: Line) -> Line:
        """What is important, and of the screen's own remarks as many as there is room for."""
        line = _spaced(self.of_past(), self.important())
        if not line:
            return remarks
        room = self._width - 2 - length([*line, _GAP])
        fitting = takewhile(lambda lengths: lengths <= room, accumulate(length([remark]) for remark in remarks))
        return _spaced(line, remarks[: len([*fitting])])

    def of_day(self) -> Line:
        """Which day "today" is, where it is not the one of the machine's own clock."""
        headline = self._face.headline
        if headline is None:
            return ()
        calendar, now = headline.calendar, self._face.session.clock()
        here = to_datetime(now).astimezone()
        if calendar.day_starts == "00:00" and calendar.local(now).utcoffset() == here.utcoffset():
            return ()
        return [(f"days from {calendar.day_starts} {calendar.zone}", self._face.palette.faint)]

    def _amiss(self, waiting: Line) -> Line:
        """Why it stands as it does, what else there is to know of the collector, and how many more such things. What a
        changed configuration did has words of its own."""
        palette, facts = self._face.palette, self._face.status_facts()
        conditions = facts.collector.conditions if facts.collector else ()
        told_apart = {each.sentence for each in conditions if each.name == "configuration"}
        sentences = dict.fromkeys([facts.standing.sentence, *(each.sentence for each in conditions)])
        known = [sentence for sentence in sentences if sentence and sentence not in told_apart]
        if not known:
            return ()
        style = palette.warn if facts.records else palette.bad
        more: Line = [(f" +{len(known) - 1} more", palette.muted)] if len(known) > 1 else ()
        words: Piece = (f"! {clean_line(known[0])}", style)
        if length([words]) > self._room([*more, *waiting]) and any(each.sentence == known[0] for each in conditions):
            first = re.split(r"(?<=\.)\s", known[0], maxsplit=1)[0]
            words, more = (f"! {clean_line(first)}", style), [(" 8 shows all", palette.muted)]
        return [*self._cut(words, [*more, *waiting]), *more]

    def _config_outcome(self, waiting: Line) -> Line:
        status, headline, now = self._face.config_status, self._face.headline, self._face.session.clock()
        outcome, palette = status.present(headline, now), self._face.palette
        if outcome is None:
            return ()
        if outcome.ok:
            return self._cut((f"{outcome.text}", palette.good), waiting)
        key = "enter" if status.is_unread(headline, now) else ":refusal"
        rest: Line = [(f"  {key} shows all", palette.muted)]
        return [*self._cut((f"! {first_slip(outcome.text)}", palette.bad), [*rest, *waiting]), *rest]

    def _cut(self, words: Piece, after: Line) -> list[Piece]:
        """Cut to the room that the words after it leave."""
        return clip([words], self._room(after))

    def _room(self, after: Line) -> int:
        """Cells before these words, at least half the line."""
        return max(self._width - 2 - length(after) - (length([_GAP]) if after else 0), self._width // 2)

    def _waiting(self) -> list[Piece]:
        headline, palette = self._face.headline, self._face.palette
        if headline is None:
            return []
        attention = headline.attention
        words: list[Line] = []
        if attention.unrecognized:
            count = formats.count(attention.unrecognized)
            words.append([(f"!! {count} not understood: 8 shows them", palette.bad)])
        if attention.dead_deliveries:
            count = formats.count(attention.dead_deliveries)
            words.append([(f"!! {count} undelivered: 6 shows them", palette.bad)])
        if (unusual := attention.unusual) is not None:
            whose = fit_middle(unusual.whose, _WHOSE).rstrip()
            much = unusual.unusual_words
            if self._width < _WIDE:
                much = f"{times_of(unusual.used.nano, unusual.limit.nano)} the usual"
            words.append([(f"! {whose} {much}: 6 shows it", palette.warn)])
        if attention.tests:
            tests = "test" if attention.tests == 1 else "tests"
            words.append([(f"T {formats.count(attention.tests)} {tests}", palette.test)])
        return _spaced(*words)


def _spaced(*lines: Line) -> list[Piece]:
    """One line of those that say something."""
    pieces: list[Piece] = []
    for line in lines:
        pieces += [_GAP, *line] if pieces and line else line
    return pieces
