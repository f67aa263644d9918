"""Where an import goes: the store, beside a collector that may be running; or nowhere, for a dry run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from spendtop.cli.effective_limits import effective_limits
from spendtop.cli.imports.report import Part
from spendtop.cli.options import made_store, opened_store
from spendtop.collector.from_settings import book_for, preparer_of, pricer_of
from spendtop.collector.price_lists.kept_list import catalogue_of
from spendtop.collector.process.garbage import seldom_collected_garbage
from spendtop.collector.process.store_lock import importing, places
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.domain.errors import UsageError
from spendtop.domain.requests.token_names import apart
from spendtop.domain.untrusted import storable_name
from spendtop.services import tokens
from spendtop.services.exchange.imports import Event, record, rehearse
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.legacy.rows import OldToken
from spendtop.store.dictionaries import newest
from spendtop.store.engine import Store


class StoreTarget:
    """Records with a writer of its own, by the limits that the collector applied."""

    outcome = "stored"

    def __init__(self, store: Store, recorder: Recorder, now: int) -> None:
        self._store = store
        self.recorder = recorder
        self._now = now

    def take(self, events: Iterable[Event], part: Part, after_group: Callable[[], None]) -> None:
        """Record the events and count them in `part`."""
        record(self.recorder, events, part.tally, after_group)

    def take_token(self, token: OldToken) -> bool:
        """Keep a tracking token as clients send it; False where it is there already. Raises UsageError."""
        with self._store.writing() as connection:
            present = tokens.book(connection)
            if token.token in present:
                return False
            names = {each.name for each in present.values()}
            name = token.name if storable_name(token.name) not in names else apart(token.name, token.token)
            made = tokens.create(connection, name, token.created_at or self._now, value=token.token)
            if not token.active:
                tokens.set_active(connection, made.id, active=False)
            return True


class DryRun:
    """Says what recording would come to."""

    outcome = "new"

    def __init__(self, store: Store | None, preparer: Preparer) -> None:
        self._store = store
        self._preparer = preparer

    def take(self, events: Iterable[Event], part: Part, after_group: Callable[[], None]) -> None:
        """Count in `part` what recording the events would come to."""
        rehearse(self._store, self._preparer, events, part.tally, after_group)

    def take_token(self, token: OldToken) -> bool:
        """Whether the token would be new."""
        if self._store is None:
            return True
        with self._store.reading() as connection:
            return token.token not in tokens.book(connection)


Target = StoreTarget | DryRun


@contextmanager
def recording(settings: Settings, now: int) -> Iterator[StoreTarget]:
    """The store, made where there is none; at the end of the block all is committed.

    Raises AlreadyRunning while another import goes on, and what `made_store` raises.
    """
    catalogue = catalogue_of(settings.pricing)
    with made_store(settings) as store, importing(store, places(store, data_folder())) as slot:
        with store.reading() as connection:
            effective = effective_limits(connection, settings)
            dictionary = newest(connection, now)
        book = book_for(effective.limits, effective.calendar, pricer_of(settings, catalogue), now)
        recorder = Recorder(store, preparer_of(settings, catalogue), book, slot)
        recorder.dictionary = dictionary
        recorder.start()
        try:
            with seldom_collected_garbage():
                yield StoreTarget(store, recorder, now)
        finally:
            recorder.stop()


@contextmanager
def rehearsing(settings: Settings) -> Iterator[DryRun]:
    """A dry run against the store, if there is one."""
    preparer = preparer_of(settings, catalogue_of(settings.pricing))
    with ExitStack() as stack:
        try:
            store: Store | None = stack.enter_context(opened_store(settings))
        except UsageError:
            store = None
        yield DryRun(store, preparer)
