"""Who posts in vain, as the listener sees it: so much of it that a person can mend it, and never more."""

from __future__ import annotations

from collections import Counter, OrderedDict
from threading import Lock

from msgspec import Struct

from spendtop.domain.clock import DAY, HOUR, MINUTE, Clock
from spendtop.domain.sources.records import KeyRule, PushedSource
from spendtop.domain.sources.refusals import RefusalReason, RefusedPosts

MOST_SENDERS = 256
_SHOWN_FOR = DAY
_MISSED_AFTER = HOUR
_SOON, _SOON_AGAIN = MINUTE, 10 * MINUTE
_ENOUGH_RETURNS = 3

_Posts = tuple[PushedSource, RefusalReason, str]
"""Source, reason and token's name."""


class _Sender(Struct):
    """One who posts, as far as those of a source can be told apart; several may hide behind one proxy."""

    reason: RefusalReason = RefusalReason.BAD_KEY
    token: str = ""
    count: int = 0
    """Refused since a post was taken last."""
    refused_at: int | None = None
    taken_at: int | None = None
    returns: int = 0
    """How often in a row a refusal followed soon after a post that was taken."""

    @property
    def is_several(self) -> bool:
        return self.returns >= _ENOUGH_RETURNS

    def refuse(self, reason: RefusalReason, token: str, now: int) -> None:
        if self.taken_at is None or now - self.taken_at >= _SOON:
            self.returns = 0
        elif not self.count:
            self.returns += 1
        self.count = self.count + 1 if (reason, token) == (self.reason, self.token) else 1
        self.reason, self.token, self.refused_at = reason, token, now

    def take(self, now: int) -> None:
        if self.refused_at is None or now - self.refused_at >= _SOON_AGAIN:
            self.returns = 0
        self.taken_at = now
        if not self.is_several:
            self.count = 0

    def stands(self, source: PushedSource, now: int) -> bool:
        """Whether what was refused still needs somebody. A signature that fits proves the secret: others are
        strangers' then. With keys the others are rather programs of ours, until they are quiet."""
        if not self.count or self.refused_at is None:
            return False
        if not self.is_several:
            return now - self.refused_at < _SHOWN_FOR
        return source.key is not KeyRule.SIGNED and now - self.refused_at < _SOON_AGAIN


class Refusals:
    """What was refused and stands until something of its sender is taken. May be told and asked from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._senders: OrderedDict[tuple[PushedSource, str], _Sender] = OrderedDict()
        self._taken: dict[PushedSource, int] = {}
        self._untold: Counter[_Posts] = Counter()

    def refuse(self, source: PushedSource, reason: RefusalReason, sender: str, token: str = "") -> None:
        """A post was refused. `sender` is its address; `token` names the tracking token that is switched off."""
        with self._lock:
            self._untold[source, reason, token] += 1
            self._sender(source, sender).refuse(reason, token, self._clock())

    def take(self, source: PushedSource, sender: str) -> None:
        """A post was taken."""
        now = self._clock()
        with self._lock:
            self._taken[source] = now
            self._sender(source, sender).take(now)

    def standing(self) -> tuple[RefusedPosts, ...]:
        """What is refused and not mended, the most frequent first."""
        now = self._clock()
        counts: Counter[_Posts] = Counter()
        with self._lock:
            for (source, _), sender in self._senders.items():
                if sender.stands(source, now):
                    counts[source, sender.reason, sender.token] += sender.count
        return _posts(counts)

    def misses(self, source: PushedSource) -> bool:
        """Whether nothing of a source was taken for an hour."""
        with self._lock:
            return source not in self._taken or self._clock() - self._taken[source] >= _MISSED_AFTER

    def untold(self) -> tuple[RefusedPosts, ...]:
        """What was refused since the last call, the most frequent first."""
        with self._lock:
            counts, self._untold = self._untold, Counter()
        return _posts(counts)

    def _sender(self, source: PushedSource, address: str) -> _Sender:
        """All that sign do so with the same secret, wherever they are."""
        who = (source, "" if source.key is KeyRule.SIGNED else address)
        sender = self._senders.setdefault(who, _Sender())
        self._senders.move_to_end(who)
        if len(self._senders) > MOST_SENDERS:
            self._senders.popitem(last=False)
        return sender


def _posts(counts: Counter[_Posts]) -> tuple[RefusedPosts, ...]:
    return tuple(
        RefusedPosts(source=source, reason=reason, count=count, token=token)
        for (source, reason, token), count in counts.most_common()
    )
