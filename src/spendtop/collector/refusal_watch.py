"""Tells of posts that are refused for who sends them: as conditions while they stand, and in the log once a minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from spendtop.api.refusals import Refusals
from spendtop.collector.conditions import Conditions
from spendtop.collector.supervisor import pause
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.sources.records import KeyRule, PushedSource, pushed_sources
from spendtop.domain.sources.refusals import RefusedPosts

_LOGGED_EVERY = 60.0
_MOST_TOLD = 3
_log = logging.getLogger(__name__)


class RefusalWatch:
    """`every` are the seconds between two lines of the log."""

    def __init__(self, refusals: Refusals, conditions: Conditions, every: float = _LOGGED_EVERY) -> None:
        self._refusals = refusals
        self._conditions = conditions
        self._every = every

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; what was refused since the last line is logged then too."""
        ended = False
        while not ended:
            await pause(stop, self._every)
            ended = stop.is_set()
            if untold := self._refusals.untold():
                _log.warning("%s", _told(untold))

    def examine(self) -> None:
        """Keep a condition for each source with refused posts that stand."""
        standing = self._refusals.standing()
        for source in pushed_sources():
            posts = [each for each in standing if each.source is source]
            self._conditions.keep(f"refused {source.path}", self._status(source, posts), _told(posts) or None)

    def _status(self, source: PushedSource, posts: Sequence[RefusedPosts]) -> ConditionStatus:
        """Who pushes is told and can send again; a gateway does not. Where others of the source are taken, or nobody
        showed anything, it is strangers who are refused."""
        is_lost = source.key is KeyRule.SIGNED and self._refusals.misses(source)
        is_lost = is_lost and not all(each.reason.is_blank for each in posts)
        return ConditionStatus.DEGRADED if is_lost else ConditionStatus.NOTICE


def _told(posts: Sequence[RefusedPosts]) -> str:
    """The most frequent in words, the others as a number."""
    told = " ".join(each.sentence for each in posts[:_MOST_TOLD])
    others = sum(each.count for each in posts[_MOST_TOLD:])
    return f"{told} {others:,} others refused for further reasons." if others else told
