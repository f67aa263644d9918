"""What the collector and its delivery process say to each other."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

DETAIL_LIMIT = 300


class Outcome(StrEnum):
    """What came of one try to deliver."""

    SENT = "sent"
    TRANSIENT = "transient"
    """May work later; the message was perhaps delivered all the same."""
    PERMANENT = "permanent"
    """The service refuses it and will probably refuse it again."""
    MISCONFIGURED = "misconfigured"
    """Cannot work until the configuration changes."""


class Job(Struct, frozen=True, kw_only=True):
    """One message for one recipient."""

    url: str
    title: str
    body: str
    type: str
    """Apprise's notification type: info, success, warning or failure."""
    deadline: float
    """Seconds that the service may take."""

    def __repr__(self) -> str:
        return f"Job(title={self.title!r})"


class Result(Struct, frozen=True, kw_only=True):
    """How one try ended. `detail` says why in at most 300 characters, without the URL or a part of it."""

    outcome: Outcome
    detail: str = ""
    elapsed_ms: int = 0
    slow_down: bool = False
    """The service asked for fewer messages."""
