"""A listener in front of the real recorder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from spendtop.api.listener.connections import Allowance
from spendtop.config.settings import Settings
from spendtop.domain.limits.limit import Limit
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.registry import READERS, Readers
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.store.reads.ledger.balances import Account
from tests.api.listening import Live, listening
from tests.conftest import SettableClock


@asynccontextmanager
async def recording(
    store: Store,
    clock: SettableClock,
    settings: Settings | None = None,
    limits: Sequence[Limit] = (),
    allowance: Allowance | None = None,
    readers: Readers = READERS,
) -> AsyncIterator[tuple[Live, Recorder]]:
    """A listener and the recorder behind it, under these limits."""
    apply(store, clock, limits)
    preparer = Preparer(Pricer({}, None, lambda provider, model, terms, at: None), None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook(limits, Calendar(), {}))
    recorder.start()
    try:
        async with listening(store, clock, recorder, settings, allowance, readers=readers) as live:
            yield live, recorder
    finally:
        recorder.stop()


def apply(
    store: Store,
    clock: SettableClock,
    limits: Sequence[Limit],
    accounts: Sequence[Account] = (),
    *,
    include_provider: bool = False,
) -> None:
    """Put limits and accounts in force, as a collector does."""
    info = CollectorInfo(version="1", host="h", pid=1, url="", started_at=clock())
    applied = Applied(
        limits=tuple(limits),
        calendar=Calendar(),
        channels=(),
        accounts=tuple(accounts),
        collector=info,
        at=clock(),
        config_digest="",
        include_provider=include_provider,
    )
    with store.writing() as connection:
        keep(connection, applied)
