"""What all sources that post to us share: bodies are read, events recorded, refusals counted."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from spendtop.api.answers import INTERNAL, STORE_FULL, STORE_UNAVAILABLE, HttpAnswer, Refused
from spendtop.api.context import Context, Done
from spendtop.api.counters import Count
from spendtop.api.listener.body_places import BodyPlaces
from spendtop.api.listener.http_request import LARGE, HttpRequest
from spendtop.api.recent_posts import BEGINNING
from spendtop.domain.errors import SpendtopError, StoreFull
from spendtop.domain.sources.refusals import RefusalReason
from spendtop.services.recording.transaction import Outcome
from spendtop.sources.receivers import BatchReceiver, SignedReceiver

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Acks(Generic[Result]):
    """Wakes the loop once for all outcomes of a committed group, not once per waiter."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[asyncio.Future[Sequence[Result]], Sequence[Result] | Exception]] = deque()
        self._loop_is_called = False

    def waiter(self) -> tuple[asyncio.Future[Sequence[Result]], Callable[[Sequence[Result] | Exception], None]]:
        """A future of the running loop, and the callback that settles it from any thread."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Result]] = loop.create_future()

        def done(result: Sequence[Result] | Exception) -> None:
            self._arrived.append((future, result))
            if not self._loop_is_called:
                self._loop_is_called = True
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._settle)

        return future, done

    def _settle(self) -> None:
        # Cleared first: what arrives from here on calls the loop again, so nothing is left behind.
        self._loop_is_called = False
        while self._arrived:
            future, result = self._arrived.popleft()
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


async def aside(size: int, work: Callable[[], Result]) -> Result:
    """What `work` gives; for more than LARGE bytes it is done in a thread, so that others need not wait for it."""
    return await asyncio.to_thread(work) if size > LARGE else work()


class Intake:
    """The way in of one source."""

    def __init__(self, context: Context, receiver: SignedReceiver | BatchReceiver) -> None:
        self._counters = context.counters
        self._refusals = context.refusals
        self._posts = context.posts
        self._clock = context.clock
        self._receiver = receiver
        self._acks: Acks[Outcome] = Acks()
        self._places = BodyPlaces()

    async def body(self, http: HttpRequest) -> bytes:
        """Raises Refused, and Disconnected."""
        body = await http.body(self._receiver.largest, self._places)
        http.size, http.beginning = len(body), body[:BEGINNING]
        return body

    async def record(self, size: int, submit: Callable[[Done], None]) -> Sequence[Outcome]:
        """The outcomes of what `submit` hands to the recorder, once they are durable. Raises Refused.

        `size` is in bytes, of which all who wait may hold so many before further large bodies are read.
        """
        committed, done = self._acks.waiter()
        try:
            async with self._places.waiting(size):
                await aside(size, partial(submit, done))
                del submit  # and with it the body, which the writer needs no more
                return await committed
        except Refused:
            raise
        except SpendtopError as failure:
            answer = STORE_FULL if isinstance(failure, StoreFull) else STORE_UNAVAILABLE
            raise Refused(answer, Count.INGEST_NOT_STORED) from failure
        except Exception as failure:
            _log.exception("what %s posted could not be recorded", self._receiver.source)
            raise Refused(INTERNAL, Count.INGEST_NOT_STORED) from failure

    def admit(self, http: HttpRequest) -> None:
        """Something of this sender was taken."""
        self._refusals.take(self._receiver.source, http.peer)
        self._posts.add(self._receiver.source.name, self._clock(), http.size, http.beginning)

    def reject(self, why: Count) -> None:
        """One more that was refused for what it says."""
        self._counters.add(why)
        self._counters.refuse(self._receiver.source, why)

    def turn_away(self, http: HttpRequest, why: Count, reason: RefusalReason, token: str = "") -> None:
        """One more that was refused for who sent it."""
        self._counters.add(why)
        self._counters.refuse(self._receiver.source, f"{reason}/{token}" if token else reason)
        self._refusals.refuse(self._receiver.source, reason, http.peer, token)

    def refuse(self, http: HttpRequest, refused: Refused) -> HttpAnswer:
        """The answer, counted."""
        _log.debug("%s refused: %s", self._receiver.source.name, refused.reason or refused.count)
        if refused.count is not None and refused.reason is not None:
            self.turn_away(http, refused.count, refused.reason, refused.token)
        elif refused.count is not None:
            self.reject(refused.count)
        return refused.answer
