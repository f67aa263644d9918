"""The single writer: one thread that commits whatever has queued up in one transaction."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from spendtop.domain.errors import CannotWrite, SpendtopError
from spendtop.store.engine import Store, refusal
from spendtop.store.gathering import Gathering
from spendtop.store.wal_checkpoints import WalCheckpoints

Event = TypeVar("Event")
Outcome = TypeVar("Outcome")
Result = TypeVar("Result")

_LARGEST_GROUP = 512
_RETRY_SECONDS = 0.25
_LATELY = 10.0
"""Seconds for which somebody who submitted counts as still there."""
_ENDED = "The collector's writer failed; the log says why. Start the collector again."
_log = logging.getLogger(__name__)


class _Submission(Struct, Generic[Event, Outcome], eq=False):
    ready: Callable[[], Sequence[Event]]
    number: int
    deadline: float
    done: Callable[[Sequence[Outcome] | Exception], None]

    def events(self) -> Sequence[Event]:
        """Made ready once, however often it is tried to record them."""
        events = self.ready()
        self.ready = lambda: events
        return events


class _Call(Struct, eq=False):
    work: Callable[[Connection], Any]
    future: Future[Any]


class Writer(Generic[Event, Outcome]):
    """Group commit: events that wait together are recorded by one call and one commit.

    `record` gets an open write transaction and the group's events, and returns one outcome per event.
    A group that the database refuses is repeated submission by submission, so that one bad event fails alone.
    """

    def __init__(
        self,
        store: Store,
        record: Callable[[Connection, Sequence[Event]], Sequence[Outcome]],
        after_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._record = record
        self._after_commit = after_commit
        self._queue: deque[_Submission[Event, Outcome] | _Call] = deque()
        self._news = threading.Condition()
        self._gathering = Gathering(self._queue, self._news)
        self._wal_checkpoints = WalCheckpoints(store)
        self._stopping = False
        self._refused: SpendtopError | None = None
        self._barred: str | None = None
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._held_up_since: float | None = None
        """Monotonic seconds from which on something wanted to be written, and nothing was."""
        self.hindrance = ""
        """What the database said last since then; empty where it has said nothing yet."""
        self.is_writing = False
        """Whether a transaction is open."""
        self._submitted_at = -math.inf
        self._moved_at: float | None = None
        """Monotonic seconds at which an attempt began or ended last; None while there is nothing to do."""
        self.failure: BaseException | None = None
        """What ended the thread, if anything did: the collector then ends too."""

    def start(self) -> None:
        self._thread.start()
        self._wal_checkpoints.start()

    def stop(self, patience: float | None = None) -> None:
        """Commit all that is queued, then end the thread; wait for that at most `patience` seconds."""
        with self._news:
            self._stopping = True
            self._news.notify()
        self._thread.join(patience)
        self._wal_checkpoints.stop(patience)

    @property
    def refused(self) -> SpendtopError | None:
        """Why the latest events were refused, where any would have been; None once something was stored again."""
        return self._refused

    def stored(self) -> None:
        """Something else was stored."""
        self._refused = None

    def bar(self, reason: str | None) -> None:
        """Take nothing while there is a reason."""
        self._barred = reason

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many submissions and calls are queued."""
        return len(self._queue)

    @property
    def is_quiet(self) -> bool:
        """Whether nobody has submitted anything lately, so that nobody waits behind larger transactions; what runs work
        of its own does not count."""
        return time.monotonic() - self._submitted_at >= _LATELY

    @property
    def held_up_for(self) -> float:
        """Seconds for which nothing could be written though something wanted to be."""
        since = self._held_up_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def still_for(self) -> float:
        """Seconds since it took a step in what it has to do. To ask again a database that is locked or away is one."""
        since = self._moved_at
        return 0.0 if since is None else time.monotonic() - since

    def queue(
        self, events: Sequence[Event], done: Callable[[Sequence[Outcome] | Exception], None], patience: float = 60.0
    ) -> None:
        """Record events durably. `done` is called in the writer's thread, after the commit or with the failure.

        `patience` is how many seconds a locked or absent database is waited for before CannotWrite.
        """
        self.queue_unready(lambda: events, len(events), done, patience)

    def queue_unready(
        self,
        ready: Callable[[], Sequence[Event]],
        number: int,
        done: Callable[[Sequence[Outcome] | Exception], None],
        patience: float = 60.0,
    ) -> None:
        """The same for so many events that `ready` gives, in the writer's thread and ahead of the transaction.

        Whoever queues them need not do it, and for a whole group in one go it costs less.
        """
        self._submitted_at = time.monotonic()
        self._put(_Submission(ready, number, time.monotonic() + patience, done))

    def run(self, work: Callable[[Connection], Result]) -> Future[Result]:
        """Run `work` in a write transaction of its own, in turn with the groups. A failure rolls it back."""
        call = _Call(work, Future())
        self._put(call)
        return call.future

    def _put(self, item: _Submission[Event, Outcome] | _Call) -> None:
        with self._news:
            if self._stopping:
                raise CannotWrite("The collector is stopping; nothing more is recorded. Send again in a moment.")
            if self._barred is not None:
                raise CannotWrite(self._barred)
            self._queue.append(item)
            if len(self._queue) >= self._gathering.enough:
                self._news.notify()

    def _work(self) -> None:
        try:
            while (turn := self._next()) is not None:
                self._moved_at = time.monotonic()
                if isinstance(turn, _Call):
                    self._run(turn)
                else:
                    self._commit(turn)
                self._wal_checkpoints.between(somebody_waits=bool(self._queue))
                self._moved_at = None
        except BaseException as failure:
            self.failure = failure
            _log.exception("the writer ended")
            self._refuse_all()

    def _refuse_all(self) -> None:
        """Nobody waits for a writer that is gone."""
        with self._news:
            self._stopping = True
            left = list(self._queue)
            self._queue.clear()
        ended = CannotWrite(_ENDED)
        for item in left:
            if isinstance(item, _Submission):
                _tell(item, ended)
            elif item.future.set_running_or_notify_cancel():
                item.future.set_exception(ended)

    def _next(self) -> list[_Submission[Event, Outcome]] | _Call | None:
        """The next call, or all submissions in front of it; None at the end."""
        with self._news:
            while not self._queue:
                if self._stopping:
                    return None
                self._news.wait()
            if isinstance(self._queue[0], _Submission):
                self._gathering.wait()
            first = self._queue.popleft()
            if isinstance(first, _Call):
                return first
            group, size = [first], first.number
            while self._queue and size < _LARGEST_GROUP:
                following = self._queue[0]
                if isinstance(following, _Call):
                    break
                self._queue.popleft()
                group.append(following)
                size += following.number
            return group

    def _run(self, call: _Call) -> None:
        if not call.future.set_running_or_notify_cancel():
            return
        try:
            with self._writing() as connection:
                result = call.work(connection)
        except DBAPIError as failure:
            refused = refusal(self._store, failure)
            if not _may_pass(refused):
                self._refused = refused
            call.future.set_exception(refused)
        except Exception as failure:
            call.future.set_exception(failure)
        else:
            call.future.set_result(result)
            self._after_commit()

    def _commit(self, group: list[_Submission[Event, Outcome]]) -> None:
        began = time.monotonic()
        try:
            outcomes = self._recorded(group)
        except CannotWrite as lost:
            self._refuse(group, lost)
        except DBAPIError as failure:
            refused = refusal(self._store, failure)
            if not _may_pass(refused):
                self._refuse(group, refused)
            elif isinstance(failure, OperationalError):
                self._wait(group, refused, began)
            else:
                self._commit_apart(group)
        except Exception:
            self._commit_apart(group)
        except BaseException:
            for submission in group:
                _tell(submission, CannotWrite(_ENDED))
            raise
        else:
            self._gathering.answers(len(group), time.monotonic() - began)
            self._answer(group, outcomes)

    def _recorded(self, group: Sequence[_Submission[Event, Outcome]]) -> Sequence[Outcome]:
        events = [event for submission in group for event in submission.events()]
        with self._writing() as connection:
            return self._record(connection, events)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction; whatever it comes to, the store can be written unless the database failed."""
        self._moved_at = time.monotonic()
        if self._held_up_since is None:
            self._held_up_since = self._moved_at
            self.hindrance = ""
        try:
            with self._store.writing() as connection:
                self.is_writing = True
                yield connection
        except OperationalError as failure:
            self.hindrance = str(failure.orig)
            raise
        except BaseException:
            self._held_up_since = None
            raise
        else:
            self._held_up_since = None
        finally:
            self.is_writing = False
            self._moved_at = time.monotonic()

    def _answer(self, group: Sequence[_Submission[Event, Outcome]], outcomes: Sequence[Outcome]) -> None:
        self._refused = None
        start = 0
        for submission in group:
            end = start + submission.number
            _tell(submission, outcomes[start:end])
            start = end
        self._after_commit()

    def _commit_apart(self, group: Sequence[_Submission[Event, Outcome]]) -> None:
        """Repeat a refused group one by one; also a single submission, as another collector may just have been faster
        with the same event."""
        for position, submission in enumerate(group):
            began = time.monotonic()
            try:
                outcomes = self._recorded([submission])
            except OperationalError as failure:
                self._wait(group[position:], refusal(self._store, failure), began)
                return
            except Exception as failure:
                _log.error("an event was refused: %s", type(failure).__name__)
                _tell(submission, failure)
            else:
                self._answer([submission], outcomes)

    def _refuse(self, group: Sequence[_Submission[Event, Outcome]], refused: SpendtopError) -> None:
        """Nobody waits for a store that is full, damaged or lost."""
        self._refused = refused
        for submission in group:
            _tell(submission, refused)

    def _wait(self, group: Sequence[_Submission[Event, Outcome]], refused: SpendtopError, began: float) -> None:
        """The database is locked or away: queue again, in front, whoever's patience lasts for one more attempt that
        takes as long as the one that began at `began`."""
        with self._news:
            queued = [*group, *self._queue]
            now = time.monotonic()
            told_next = now + (now - began)
            tired = {item for item in queued if isinstance(item, _Submission) and item.deadline <= told_next}
            self._queue.clear()
            self._queue.extend(item for item in queued if item not in tired)
        for submission in tired:
            _tell(submission, refused)
        if self._queue:
            time.sleep(_RETRY_SECONDS)


def _may_pass(refused: SpendtopError) -> bool:
    """Whether it is worth waiting: the store is locked or away, or there is something wrong with one event."""
    return type(refused) is CannotWrite


def _tell(submission: _Submission[Event, Outcome], outcomes: Sequence[Outcome] | Exception) -> None:
    """What is committed stays committed, whatever becomes of the one who waits for it."""
    try:
        submission.done(outcomes)
    except Exception:
        _log.exception("an outcome could not be told")
