"""Recording what an import reads: group by group, each in one commit, beside a collector that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import islice

from msgspec import Struct
from sqlalchemy import select

from spendtop.domain.errors import CannotWrite
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.requests.request import Request, Restored
from spendtop.domain.sources.records import ImportedSource
from spendtop.services.recording.preparation import Prepared, Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.ids import arrival
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestKeyTable

GROUP = 1_000
"""Requests per commit."""
_PATIENCE = 300.0
"""Seconds for which a locked, full or absent store is waited for."""
_KEYS_PER_QUERY = 500

Event = Request | Restored


class Tally(Struct, kw_only=True):
    stored: int = 0
    joined: int = 0
    """Known from another source, and one record with its report now."""
    duplicates: int = 0
    refused: int = 0
    """Those that the database did not take."""
    cost: Usd = ZERO
    """Of those stored."""
    unpriced: int = 0
    """Of those stored."""
    arrived: int | None = None
    """The earliest arrival that those stored have by their ids, UTC µs; retention goes by it."""

    @property
    def taken(self) -> int:
        """How many were looked at."""
        return self.stored + self.joined + self.duplicates + self.refused

    def count(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.status != "stored":
                self.duplicates += 1
            elif outcome.request is None:
                self.joined += 1
            else:
                self.add(outcome.request, arrival(outcome.id))

    def add(self, request: Request, arrived: int) -> None:
        self.stored += 1
        self.arrived = arrived if self.arrived is None else min(arrived, self.arrived)
        self.unpriced += not request.is_plan and (request.cost.amount is None or request.cost.partial)
        self.cost += request.cost.amount or ZERO


def record(recorder: Recorder, events: Iterable[Event], tally: Tally, after_group: Callable[[], None]) -> None:
    """Record the events in groups, and count in `tally` what is committed; also when it ends early.

    `after_group` is called after each commit. Raises CannotWrite when the store cannot be written for five minutes.
    """
    rest = iter(events)
    while group := list(islice(rest, GROUP)):
        answer = _submitted(recorder, group)
        try:
            _count(recorder, group, answer, tally)
        except KeyboardInterrupt:
            _count(recorder, group, answer, tally)
            raise
        arrivals = {
            each.source.name: each.received_at
            for each in group
            if isinstance(each, Request) and isinstance(each.source, ImportedSource)
        }
        for source, at in arrivals.items():
            recorder.run(partial(facts.note_import, source=source, at=at)).result()
        after_group()


def rehearse(
    store: Store | None, preparer: Preparer, events: Iterable[Event], tally: Tally, after_group: Callable[[], None]
) -> None:
    """Count in `tally` what recording the events would come to; nothing is written. A store that is not there yet is
    None."""
    rest = iter(events)
    while group := list(islice(rest, GROUP)):
        prepared = [each for each in map(preparer.prepare, group) if isinstance(each, Prepared)]
        recorded = _known(store, [digest for each in prepared for digest in _digests(each)]) if store else frozenset()
        for each in prepared:
            if not recorded.isdisjoint(_digests(each)):
                tally.duplicates += 1
            else:
                tally.add(each.request, each.request.received_at)
        after_group()


def _count(recorder: Recorder, group: Sequence[Event], answer: Future[Sequence[Outcome]], tally: Tally) -> None:
    """Wait for a group's commit. What the database refuses as a group is recorded one by one."""
    try:
        outcomes = answer.result()
    except CannotWrite:
        raise
    except Exception:
        for event in group:
            _count_one(recorder, event, tally)
    else:
        tally.count(outcomes)


def _count_one(recorder: Recorder, event: Event, tally: Tally) -> None:
    try:
        tally.count(_submitted(recorder, [event]).result())
    except CannotWrite:
        raise
    except Exception:
        tally.refused += 1


def _submitted(recorder: Recorder, group: Sequence[Event]) -> Future[Sequence[Outcome]]:
    answer: Future[Sequence[Outcome]] = Future()

    def done(outcomes: Sequence[Outcome] | Exception) -> None:
        if isinstance(outcomes, Exception):
            answer.set_exception(outcomes)
        else:
            answer.set_result(outcomes)

    recorder.submit(group, done, _PATIENCE)
    return answer


def _digests(event: Prepared) -> tuple[bytes, ...]:
    return event.digest, *event.other_digests


def _known(store: Store, digests: Sequence[bytes]) -> frozenset[bytes]:
    column = table_of(RequestKeyTable).c.digest
    recorded: list[bytes] = []
    with store.reading() as connection:
        for start in range(0, len(digests), _KEYS_PER_QUERY):
            part = digests[start : start + _KEYS_PER_QUERY]
            recorded += connection.execute(select(column).where(column.in_(part))).scalars()
    return frozenset(map(bytes, recorded))
