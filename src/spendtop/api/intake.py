"""What all sources that post to us share: bodies are read, events recorded, refusals counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from spendtop.api.answers import INTERNAL, STORE_FULL, STORE_UNAVAILABLE, HttpAnswer, Refused
from spendtop.api.commit_waiters import Acks
from spendtop.api.context import Context, Done
from spendtop.api.counters import Count
from spendtop.api.http_request import LARGE, MOST_LARGE, HttpRequest
from spendtop.domain.errors import CannotWrite
from spendtop.services.recording import Outcome
from spendtop.sources.receivers import BatchReceiver, SignedReceiver

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


async def aside(size: int, work: Callable[[], Result]) -> Result:
    """What `work` gives; for more than LARGE bytes it is done in a thread, so that others need not wait for it."""
    return await asyncio.to_thread(work) if size > LARGE else work()


class Intake:
    """The way in of one source."""

    def __init__(self, context: Context, receiver: SignedReceiver | BatchReceiver) -> None:
        self._counters = context.counters
        self._receiver = receiver
        self._acks: Acks[Outcome] = Acks()
        self._large = asyncio.Semaphore(MOST_LARGE)

    async def body(self, http: HttpRequest) -> bytes:
        """Raises Refused, and Disconnected."""
        return await http.body(self._receiver.largest, self._large)

    async def record(self, size: int, submit: Callable[[Done], None]) -> Sequence[Outcome]:
        """The outcomes of what `submit` hands to the recorder, once they are durable. Raises Refused."""
        committed, done = self._acks.waiter()
        try:
            await aside(size, partial(submit, done))
            return await committed
        except Refused:
            raise
        except CannotWrite as failure:
            answer = STORE_FULL if failure.is_full else STORE_UNAVAILABLE
            raise Refused(answer, Count.INGEST_NOT_STORED) from failure
        except Exception as failure:
            _log.exception("what %s posted could not be recorded", self._receiver.source)
            raise Refused(INTERNAL, Count.INGEST_NOT_STORED) from failure

    def count(self, why: Count) -> None:
        """One more that was refused."""
        self._counters.add(why)
        self._counters.refuse(self._receiver.source, why)

    def refuse(self, refused: Refused) -> HttpAnswer:
        """The answer, counted."""
        if refused.count is not None:
            self.count(refused.count)
        return refused.answer
