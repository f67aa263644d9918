"""The thread that empties a spool, however long spendtop is away."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from threading import Condition, Thread

from spendtop.client.poster import NotDelivered, Poster
from spendtop.client.spool import Spool

_GATHER = 0.5
"""Seconds in which further events join the first one's post."""
_LOOK_AGAIN = 60.0
"""Seconds after which what other processes left behind is looked for."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_log = logging.getLogger("spendtop.client")


class Sender:
    """Delivers all that lies in a spool: at once what earlier processes left, then what is appended."""

    def _begin(self) -> None:
        self._state = Condition()
        self._due = time.monotonic()
        self._not_before = 0.0
        self._failures = 0
        self._begun = self._ended = 0
        self._thread: Thread | None = None

    def __init__(self, spool: Spool, poster: Poster) -> None:
        self._spool = spool
        self._poster = poster
        self.refused = 0
        """Events that spendtop refused for good."""
        self._told: set[str] = set()
        self._random = random.Random()  # the application's own stays as it is
        self._begin()
        self._run()

    def after_fork(self) -> None:
        """In a forked child, where the thread is missing: begin anew with the first event."""
        self._begin()

    def notice(self) -> None:
        """Something was appended."""
        with self._state:
            self._run()
            soon = time.monotonic() + _GATHER
            if self._failures == 0 and self._due > soon:
                self._due = soon
                self._state.notify_all()

    def flush(self, timeout: float) -> bool:
        """Send now; whether all that this process appended was delivered within `timeout` seconds."""
        return self._hurry(lambda wanted: not self._spool.has_unsent(), timeout)

    def try_once(self, timeout: float) -> None:
        """Send now, and wait for one try at most `timeout` seconds."""
        self._hurry(lambda wanted: self._ended >= wanted, timeout)

    def say(self, kind: str, message: str, *facts: object) -> None:
        """Warn, once for each kind."""
        if kind not in self._told:
            self._told.add(kind)
            _log.warning(message, *facts)

    def _hurry(self, is_enough: Callable[[int], bool], timeout: float) -> bool:
        with self._state:
            self._run()
            wanted = self._begun + 1
            self._failures = 0
            self._due = max(time.monotonic(), self._not_before)
            self._state.notify_all()
            return self._state.wait_for(lambda: is_enough(wanted), timeout)

    def _run(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._work, name="spendtop sender", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._state:
                while (wait := self._due - time.monotonic()) > 0:
                    self._state.wait(wait)
                self._due = time.monotonic() + _LOOK_AGAIN
                self._begun += 1
                number = self._begun
            try:
                self._send_all()
                failure = None
            except NotDelivered as reason:
                failure = reason
            except Exception as unexpected:
                failure = NotDelivered(type(unexpected).__name__)
            with self._state:
                self._settle(failure)
                self._ended = number
                self._state.notify_all()

    def _settle(self, failure: NotDelivered | None) -> None:
        if failure is None:
            self._failures = 0
            self._told.discard("away")
            return
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures, 10)) * self._random.uniform(0.5, 1)
        self._failures += 1
        self._not_before = time.monotonic() + failure.wait
        self._due = max(time.monotonic() + pause, self._not_before)
        self.say("away", "%s takes no events (%s); they are kept and sent later", self._poster.address, failure)

    def _send_all(self) -> None:
        """Closed segments first: while these cannot be sent, the current one goes on growing."""
        self._send_closed()
        self._spool.seal()
        self._send_closed()

    def _send_closed(self) -> None:
        for path in self._spool.closed_segments():
            with self._spool.claimed(path) as events:
                refused = self._poster.deliver(events) if events else 0
            if refused:
                self.refused += refused
                self.say("refused", "%s refused events; the first time %d", self._poster.address, refused)
