"""Whether requests are recorded and what is shown is of now: one word for all faces, why, and since when."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from spendtop.domain.clock import SECOND
from spendtop.domain.condition import Condition, ConditionStatus

OLD_AFTER = 45 * SECOND
"""A picture that is older is not of now: without any news one is read every 15 s."""


class StandingWord(StrEnum):
    OPENING = "OPENING"
    """Nothing was read yet."""
    LIVE = "LIVE"
    """All that arrives is recorded, and shown."""
    DEGRADED = "DEGRADED"
    """Something does not work, or what is shown is old."""
    PAUSED = "PAUSED"
    """The picture stands still because somebody wanted that."""
    NOT_RECORDING = "NOT RECORDING"
    """Nothing is recorded, whatever is shown."""


class Standing(NamedTuple):
    """How it stands."""

    word: StandingWord
    sentence: str = ""
    """For a person: why, and the next step. Empty where the word says it all."""
    since: int | None = None
    """UTC µs; None where that is not known."""

    @property
    def is_amiss(self) -> bool:
        return self.word in (StandingWord.DEGRADED, StandingWord.NOT_RECORDING)


class Sight(NamedTuple):
    """What a face knows. Instants are UTC µs."""

    asked: bool
    """Whether it was looked for a collector already."""
    collects: bool
    """Whether one runs."""
    stopping: bool = False
    """Whether it is about to end."""
    may_start: bool = False
    """Whether a key of the face starts one."""
    last_sign: int | None = None
    """Of the collector, where none came for too long or where it is gone."""
    conditions: tuple[Condition, ...] = ()
    """What the collector says is amiss, the worst first."""
    upgraded: float | None = None
    """How much of the store's upgrade is done, from 0 to 1, while one goes on."""
    shown_at: int | None = None
    """When what is shown was read; None before the first read."""
    lost_since: int | None = None
    """Since when the store that was opened is gone, or another one is in its place."""
    unreadable_since: int | None = None
    """Since when no read has succeeded, after one that failed."""
    paused_since: int | None = None

    def is_old(self, now: int) -> bool:
        """Whether what is shown may no longer be so."""
        if self.shown_at is None:
            return False
        is_cut_off = self.lost_since is not None or self.unreadable_since is not None
        return is_cut_off or now - self.shown_at > OLD_AFTER

    def standing(self, now: int) -> Standing:
        """The worst that is true at `now`."""
        return (
            self._unrecorded()
            or self._unopened()
            or self._paused()
            or self._unread(now)
            or self._degraded()
            or Standing(word=StandingWord.LIVE, since=None)
        )

    def _unrecorded(self) -> Standing | None:
        if self.upgraded is not None:
            return None
        if self.asked and not self.collects:
            how = "! starts one" if self.may_start else "start `spendtop --no-ui`"
            words = f"No collector runs, so nothing is recorded: {how}."
            return Standing(word=StandingWord.NOT_RECORDING, sentence=words, since=self.last_sign)
        for condition in self.conditions:
            if condition.status is ConditionStatus.DOWN:
                return Standing(word=StandingWord.NOT_RECORDING, sentence=condition.sentence, since=condition.since)
        if self.stopping:
            return Standing(word=StandingWord.NOT_RECORDING, sentence="The collector is stopping.")
        return None

    def _unopened(self) -> Standing | None:
        if self.upgraded is not None:
            words = f"The store is upgraded: {int(self.upgraded * 100)} % done."
            return Standing(word=StandingWord.OPENING, sentence=words)
        if self.shown_at is None and self.unreadable_since is None:
            return Standing(word=StandingWord.OPENING)
        return None

    def _paused(self) -> Standing | None:
        if self.paused_since is None:
            return None
        return Standing(word=StandingWord.PAUSED, since=self.paused_since)

    def _unread(self, now: int) -> Standing | None:
        if self.lost_since is not None:
            words = "The store is gone or was replaced; this is its last picture. Start anew."
            return Standing(word=StandingWord.DEGRADED, sentence=words, since=self.lost_since)
        if self.unreadable_since is not None:
            words = "The store cannot be read" + ("" if self.shown_at is None else "; this is the last picture") + "."
            return Standing(word=StandingWord.DEGRADED, sentence=words, since=self.unreadable_since)
        if self.is_old(now):
            return Standing(word=StandingWord.DEGRADED, sentence="This picture is old.", since=self.shown_at)
        return None

    def _degraded(self) -> Standing | None:
        if self.last_sign is not None:
            words = "The collector gives no sign of life: see whether its process still runs."
            return Standing(word=StandingWord.DEGRADED, sentence=words, since=self.last_sign)
        for condition in self.conditions:
            if condition.status is ConditionStatus.DEGRADED:
                return Standing(word=StandingWord.DEGRADED, sentence=condition.sentence, since=condition.since)
        return None
