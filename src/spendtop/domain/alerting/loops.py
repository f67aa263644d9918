"""Loops: near-identical prompts at speed, in one session or by one user without one. Pure.

What is compared is the last that was said to the model, as what a conversation began with is sent again with every
turn. Numbers in it, and ids, do not count. Where no prompt is kept, near-equal sizes at a steady pace stand for that,
and it takes more of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.alerting.episode import Decision, Episode, EpisodeState, MessageKind
from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.money import Usd

LONGEST_PAUSE = MINUTE
"""Calls farther apart than this are no loop, in µs."""
OVER_AFTER = 3 * MINUTE
"""A loop is over when it has not gone on for so long, in µs."""
_ALIKE = 0.9
"""The least share of pieces that two prompts have in common."""
_SAME_SIZE = 0.01
"""By how much of it the sizes of prompts may differ that are not kept."""
_BY_SIZE = 2
"""How many times as many calls it takes where prompts are not kept."""
_WORDS = 3
"""In a piece of a prompt."""
_LONGEST_TEXT = 4_000
"""Characters of a prompt that are compared, from its end."""
_NUMBERED = re.compile(r"\S*\d\S*")
"""A number, or a name that holds one, such as an id."""


class LoopCall(NamedTuple):
    """One request, as far as a loop is told by it."""

    at: int
    """UTC µs."""
    size: int | None
    """Prompt tokens."""
    text: str | None
    """The last turn of its prompt; None where it is not kept."""
    cost_nano: int | None


class LoopRule(Struct, frozen=True):
    """From when on it is a loop."""

    calls: int = 10
    """So many in a row at least."""
    least: Usd = Usd(500_000_000)
    """That cost so much together at least."""


class Repetition(Struct, frozen=True, kw_only=True):
    """The calls at the end of a session that repeat one another."""

    calls: int
    since: int
    """When the first of them happened, UTC µs, as `until`."""
    until: int
    alike: float
    """The least share that one of them has in common with the last."""
    by_size: bool
    """Whether it is told by sizes alone, as prompts are not kept."""
    cost: Usd

    @property
    def per_minute(self) -> Usd:
        """What a minute of it costs; one shorter than a minute is taken as a minute long."""
        return Usd(self.cost.nano * MINUTE // max(self.until - self.since, MINUTE))

    @property
    def words(self) -> str:
        """The evidence: `26 calls within 2 min 23 s, prompts 98 % alike, $1.20/min`."""
        seconds = (self.until - self.since) // SECOND
        minutes, rest = divmod(seconds, 60)
        length = f"{minutes} min {rest} s" if minutes else f"{rest} s"
        what = "prompts of the same size" if self.by_size else f"prompts {int(self.alike * 100)} % alike"
        return f"{self.calls:,} calls within {length}, {what}, {self.per_minute}/min"


def find(rule: LoopRule, calls: Sequence[LoopCall]) -> Repetition | None:
    """The loop that these calls, the oldest first, end in."""
    if len(calls) < rule.calls:
        return None
    last, run, alike = calls[-1], [calls[-1]], 1.0
    pieces = None if last.text is None else pieces_of(last.text)
    for call in reversed(calls[:-1]):
        if run[-1].at - call.at > LONGEST_PAUSE:
            break
        likeness = _likeness(call, last, pieces)
        if likeness < _ALIKE:
            break
        run.append(call)
        alike = min(alike, likeness)
    cost = Usd(sum(call.cost_nano or 0 for call in run))
    least = rule.calls if pieces is not None else rule.calls * _BY_SIZE
    if len(run) < least or cost < rule.least:
        return None
    return Repetition(calls=len(run), since=run[-1].at, until=last.at, alike=alike, by_size=pieces is None, cost=cost)


def pieces_of(text: str) -> frozenset[tuple[str, ...]]:
    """The runs of words in the end of a text, its numbers and ids all the same."""
    words = _NUMBERED.sub("0", text[-_LONGEST_TEXT:]).lower().split()
    return frozenset(tuple(words[at : at + _WORDS]) for at in range(max(len(words) - _WORDS + 1, 1)))


def decide(previous: Episode | None, loop: Repetition | None, now: int) -> Decision:
    """What becomes of the episode of a session or user, and whether a message goes out: once as it begins, and once
    when it is over."""
    if previous is None:
        if loop is None or now - loop.until >= OVER_AFTER:
            return Decision(episode=None)
        begun = Episode(
            state=EpisodeState.APPROACHING,
            window_start=loop.since,
            window_end=None,
            announced=1.0,
            crossed_at=loop.since,
            spoke=1,
        )
        return Decision(episode=begun, announce=MessageKind.LOOP)
    if loop is not None and now - loop.until < OVER_AFTER:
        return Decision(episode=previous)
    over = replace(previous, state=EpisodeState.RESOLVED, window_end=now, spoke=previous.spoke + 1, snoozed_until=None)
    return Decision(episode=over, announce=MessageKind.RESOLVED)


def _likeness(call: LoopCall, last: LoopCall, pieces: frozenset[tuple[str, ...]] | None) -> float:
    """The share that two calls have in common."""
    if pieces is not None:
        if call.text is None:
            return 0.0
        others = pieces_of(call.text)
        return len(pieces & others) / max(len(pieces | others), 1)
    if call.size is None or last.size is None or call.text is not None:
        return 0.0
    is_same = abs(call.size - last.size) <= _SAME_SIZE * last.size
    return 1.0 if is_same else 0.0
