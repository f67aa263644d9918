"""What the listener needs from the process that runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from msgspec import Struct, field
from sqlalchemy import Connection

from spendtop.api.counters import Counters
from spendtop.api.recent_posts import RecentPosts
from spendtop.api.refusals import Refusals
from spendtop.api.token_book import TokenCopy
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock
from spendtop.domain.requests.request import Event
from spendtop.services.recording.transaction import Outcome
from spendtop.store.dictionaries import Dictionary
from spendtop.store.engine import Store
from spendtop.store.reads.limits.uses import Ceiling

Result = TypeVar("Result")

Done = Callable[[Sequence[Outcome] | Exception], None]
"""Called in another thread, once: after the durable commit, or with the failure."""


class EventRecorder(Protocol):
    dictionary: Dictionary | None
    """By which prompts and responses are packed; None for the one that is shipped."""

    def submit(self, events: Sequence[Event], done: Done, patience: float = 60.0) -> None:
        """Record, then call `done`. `patience` is how many seconds a locked store is waited for."""

    def run(self, work: Callable[[Connection], Result]) -> Future[Result]:
        """Run any other write in a transaction of its own, in turn with what is recorded."""


class Health(Struct, frozen=True):
    """How the collector is. The detail is only for those who hold the api key."""

    status: Literal["healthy", "degraded", "down"] = "healthy"
    detail: Mapping[str, object] = field(default_factory=dict)


class Context(Struct, frozen=True, kw_only=True):
    """The listener's surroundings. `settings` gives what is in force now; `monotonic` are seconds for rate limits."""

    recorder: EventRecorder
    store: Store
    settings: Callable[[], Settings]
    clock: Clock
    health: Callable[[], Health]
    ceilings: Callable[[], Mapping[str, Ceiling]] = dict
    """By name of limit, the most that an unpriced request can have cost, for limits with a `reserve`."""
    tokens: TokenCopy
    backups: Path
    """Folder for backups."""
    environment: str | None = None
    """What the installation is called, such as production."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when answers without an end have to end."""
    counters: Counters = field(default_factory=Counters)
    refusals: Refusals
    posts: RecentPosts = field(default_factory=RecentPosts)
    monotonic: Callable[[], float] = time.monotonic
