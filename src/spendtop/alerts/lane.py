"""One channel's health: it takes one message at a time, and rests when it fails again and again."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from spendtop.alerts.backoff import Timing
from spendtop.alerts.job import Outcome, Result
from spendtop.config.channel_urls import schema_of


class ChannelState(StrEnum):
    """What can be said of a channel."""

    OK = "ok"
    FAILING = "failing"
    """Failed several times in a row; tried once in a while."""
    MISCONFIGURED = "misconfigured"


class ChannelStatus(Struct, frozen=True, kw_only=True):
    """A channel for people: its name and kind, never its URL."""

    name: str
    schema: str
    state: ChannelState
    failures: int
    """Failures in a row."""
    last_error: str | None
    next_try_at: int | None
    """When a failing channel is tried next, UTC µs."""


class _Record(Struct):
    state: ChannelState = ChannelState.OK
    failures: int = 0
    last_error: str | None = None
    closed_until: int = 0


class Lane:
    """One channel, by name and URL, and what became of its latest messages."""

    def __init__(self, name: str, url: str, timing: Timing) -> None:
        self.name = name
        self.url = url
        self.busy = False
        self._timing = timing
        self._record = _Record()

    def point_to(self, url: str) -> None:
        """Use this URL from now on. A new one starts with a clean record."""
        if url != self.url:
            self.url = url
            self._record = _Record()

    def opens_at(self, due_at: int) -> int:
        """When something that is due at `due_at` may be tried, UTC µs."""
        return max(due_at, self._record.closed_until)

    @property
    def failing(self) -> bool:
        """Whether it failed several times in a row."""
        return self._record.state is ChannelState.FAILING

    def rest(self, until: int) -> None:
        """Try nothing before `until` (UTC µs)."""
        self._record.closed_until = until

    def record(self, result: Result, now: int) -> None:
        """Take note of how a try ended."""
        if result.outcome is Outcome.SENT:
            self._record = _Record()
            return
        self._record.failures += 1
        self._record.last_error = result.detail
        if result.outcome is Outcome.MISCONFIGURED:
            self._record.state = ChannelState.MISCONFIGURED
        elif self._record.failures >= self._timing.failures_until_failing:
            self._record.state = ChannelState.FAILING
            self.rest(now + self._timing.probe_every)

    def status(self) -> ChannelStatus:
        """How the channel stands."""
        return ChannelStatus(
            name=self.name,
            schema=schema_of(self.url),
            state=self._record.state,
            failures=self._record.failures,
            last_error=self._record.last_error,
            next_try_at=self._record.closed_until if self.failing else None,
        )
