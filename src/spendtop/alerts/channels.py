"""A channel: its URL as Apprise sees it, and its health: one message at a time, and a rest when it fails again and
again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from spendtop.alerts.backoff import Timing
from spendtop.alerts.delivery_process import DeliveryOutcome, DeliveryResult
from spendtop.alerts.message_text import Rendered
from spendtop.config.channel_urls import MAIL_SCHEMAS, WEB_SCHEMAS, is_chat_hook, refusal, schema_of
from spendtop.domain.shell_words import shell_word


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


class _LaneHistory(Struct):
    state: ChannelState = ChannelState.OK
    failures: int = 0
    last_error: str | None = None
    closed_until: int = 0


class ChannelLane:
    """One channel, by name and URL, and what became of its latest messages."""

    def __init__(self, name: str, url: str, timing: Timing) -> None:
        self.name = name
        self.url = url
        self.busy = False
        self._timing = timing
        self._history = _LaneHistory()

    def point_to(self, url: str) -> None:
        """Use this URL from now on. A new one starts with a clean slate."""
        if url != self.url:
            self.url = url
            self._history = _LaneHistory()

    def opens_at(self, due_at: int) -> int:
        """When something that is due at `due_at` may be tried, UTC µs."""
        return max(due_at, self._history.closed_until)

    @property
    def failing(self) -> bool:
        return self._history.state is ChannelState.FAILING

    def rest(self, until: int) -> None:
        """Try nothing before `until` (UTC µs)."""
        self._history.closed_until = until

    def record(self, result: DeliveryResult, now: int) -> None:
        if result.outcome is DeliveryOutcome.SENT:
            self._history = _LaneHistory()
            return
        self._history.failures += 1
        self._history.last_error = result.detail
        if result.outcome is DeliveryOutcome.MISCONFIGURED:
            self._history.state = ChannelState.MISCONFIGURED
        elif self._history.failures >= self._timing.failures_until_failing:
            self._history.state = ChannelState.FAILING
            self.rest(now + self._timing.probe_every)

    def status(self) -> ChannelStatus:
        return ChannelStatus(
            name=self.name,
            schema=schema_of(self.url),
            state=self._history.state,
            failures=self._history.failures,
            last_error=self._history.last_error,
            next_try_at=self._history.closed_until if self.failing else None,
        )


def check_url(url: str) -> str | None:
    """Why this URL cannot be a channel, in words that hold no part of it but its kind. Loads Apprise (0.3 s, 44 MB)."""
    return refusal(url) or _refused_by_apprise(url)


_HOOK_FIELDS = (":title=", ":type=", ":version=", ":attachments=", ":username=spendtop")
"""Of what Apprise posts as JSON, a chat's hook gets nothing but the text: Mattermost refuses types that it does not
know, see developers.mattermost.com/integrate/webhooks/incoming."""


def prepared_url(url: str) -> str:
    """The URL as it is sent to: what is too long for the service is cut, never refused or sent in pieces."""
    bare, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and not part.lower().startswith("overflow=")]
    hook = _HOOK_FIELDS if is_chat_hook(url) else ()
    return f"{bare}?{'&'.join([*kept, *hook, 'overflow=truncate'])}"


def as_shown(url: str, text: Rendered) -> Rendered:
    """The text as people see it there: mail is plain text, and a chat's hook shows one field."""
    if is_chat_hook(url):
        return text.untitled
    return text.unbroken if schema_of(url) in MAIL_SCHEMAS else text


def _refused_by_apprise(url: str) -> str | None:
    plugin = _plugin(url)
    if plugin is None and schema_of(url) in WEB_SCHEMAS:
        return (
            f"is not a complete {schema_of(url)}:// URL of Slack or Discord; a webhook shaped like theirs on another"
            " host is jsons://HOST/PATH?:message=text, or :message=content like Discord's"
        )
    if plugin is None:
        return f"is not a complete {schema_of(url)}:// URL; see github.com/caronc/apprise/wiki for its form"
    if len(plugin) > 1:
        return f"names {len(plugin)} recipients; make one channel for each"
    return None


def _plugin(url: str) -> Any:
    """Apprise's own view of the URL, or None where it has none."""
    from apprise import Apprise

    # It logs URLs that it cannot read with all their secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return Apprise.instantiate(url)


def failing_channels(channels: Sequence[ChannelStatus]) -> str | None:
    """Which channels do not deliver, and why."""
    sentences = [
        f"Channel {channel.name} is {channel.state.value}: {channel.last_error or 'no message came through'}."
        f" `spendtop channel test {shell_word(channel.name)}` tries it."
        for channel in channels
        if channel.state != ChannelState.OK
    ]
    return " ".join(sentences) or None
