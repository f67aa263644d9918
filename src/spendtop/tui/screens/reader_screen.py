"""A screen that asks the store at a steady pace, without ever waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from msgspec import Struct, field
from textual.message import Message
from textual.screen import ModalScreen, Screen

from spendtop.domain.sight import OLD_AFTER

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from textual.notifications import SeverityLevel

    from spendtop.store.engine import Store
    from spendtop.tui.face import Face
    from spendtop.tui.headline import Headline

STALE_SECONDS = 15.0
"""A picture is read again after so long without news, because windows of time move on."""
_RETRY_SECONDS = 2.0


class Question(Protocol):
    """Something that a screen asks the store."""

    def ask(self, connection: Connection) -> Any:
        """The answer, from one short view of the store. Runs in a thread."""


@runtime_checkable
class LongQuestion(Protocol):
    """Something whose answer takes several short views of the store."""

    def ask_in(self, store: Store) -> Any:
        """The answer. Runs in a thread."""


class QuestionAnswered(Message):
    def __init__(self, answer: Any, take: Callable[[Any], None]) -> None:
        super().__init__()
        self.answer = answer
        self.take = take


class ReadFailed(Message):
    """The store could not answer."""

    def __init__(self, failure: Exception, paced: bool) -> None:
        super().__init__()
        self.failure = failure
        self.paced = paced


class Pace(Struct):
    """Times in seconds of a monotonic clock. At most one read runs; news meanwhile leads to one more."""

    interval: float
    _started: float = field(default=float("-inf"))
    _running: bool = False
    _waiting: bool = False
    _again: bool = False

    def news(self, now: float) -> float | None:
        """In how many seconds to start a read; None when one is already due or running."""
        if self._running:
            self._again = True
            return None
        if self._waiting:
            return None
        self._waiting = True
        return max(0.0, self._started + self.interval - now)

    def start(self, now: float) -> None:
        self._started, self._running, self._waiting, self._again = now, True, False, False

    def finish(self, now: float) -> float | None:
        """A read ended. In how many seconds to start the next one, if there was news meanwhile."""
        self._running = False
        return self.news(now) if self._again else None

    def stale(self, now: float) -> bool:
        """Whether the last read is so old that another is due without news."""
        return not self._running and not self._waiting and now - self._started >= STALE_SECONDS


class ReaderScreen(Screen[None]):
    """A screen whose picture is the answer to one question, asked again whenever the store changes.

    Subclasses give `question`, `show` and `tick`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pace: Pace | None = None
        self._missed_news = True
        self._shown_at: int | None = None
        """When the present picture was read, UTC µs."""
        self._is_outdated = False
        """Whether a newer picture is asked for because nobody followed this one."""

    @property
    def face(self) -> Face:
        return cast("Face", self.app)

    def question(self) -> Question | LongQuestion:
        """What to read for the present picture."""
        raise NotImplementedError

    def show(self, answer: Any) -> Headline:
        """Show what was read; returns its status line."""
        raise NotImplementedError

    def tick(self) -> None:
        """Something around the picture changed."""
        raise NotImplementedError

    def tell_news(self) -> None:
        """Something was read that is told once, beside the picture."""

    def on_mount(self) -> None:
        self._pace = Pace(self.face.pace_seconds)
        self.tick()

    def on_screen_resume(self) -> None:
        """Visible again: read what was missed."""
        if self._missed_news:
            self.outdate()
            self.news()
        self.tick()

    @property
    def is_stale(self) -> bool:
        """Whether the picture is so old that windows of time have moved on."""
        return self._pace is not None and self._pace.stale(monotonic())

    @property
    def was_read(self) -> bool:
        """Whether there is a picture."""
        return self._shown_at is not None

    @property
    def is_awaited(self) -> bool:
        """Whether what keys are about is still to be read."""
        return not self.was_read

    @property
    def is_dimmed(self) -> bool:
        """Whether the picture may no longer be so, and nobody wanted it to stand still."""
        if self._shown_at is None or self.face.pause:
            return False
        is_cut_off = self.face.unreadable_since is not None or self.face.lost_since is not None
        is_old = self.face.session.clock() - self._shown_at > OLD_AFTER
        return is_cut_off or is_old or self._is_outdated

    def outdate(self) -> None:
        """The picture was not followed for a while."""
        self._is_outdated = True

    @property
    def is_followed(self) -> bool:
        """Whether it is on screen, also behind a dialog."""
        stack = self.app.screen_stack
        return self in stack and all(isinstance(above, ModalScreen) for above in stack[stack.index(self) + 1 :])

    def set_pace(self, seconds: float) -> None:
        """Read at most so often."""
        if self._pace:
            self._pace.interval = seconds

    def news(self) -> None:
        """The store changed, or the question did: read at once, or as soon as the pace allows."""
        if not self.is_followed or self._pace is None or self.face.store is None:
            self._missed_news = True
            return
        delay = self._pace.news(monotonic())
        if delay is not None:
            self._read_in(delay)

    def ask(self, question: Question | LongQuestion, take: Callable[[Any], None]) -> None:
        """Ask once, beside the steady reading; `take` gets the answer."""
        self._start(question, take, paced=False)

    def _read_in(self, delay: float) -> None:
        if delay <= 0:
            self._read()
        else:
            self.set_timer(delay, self._read)

    def _read(self) -> None:
        if self._pace is None or not self.app.is_running:  # widgets may be gone while the program ends
            return
        self._missed_news = False
        self._pace.start(monotonic())
        if self.face.pause:
            from spendtop.tui.screens.questions import CountQuestion

            self._start(CountQuestion(), self.face.count_behind, paced=True)
        else:
            self._start(self.question(), self._take, paced=True)

    def _start(self, question: Question | LongQuestion, take: Callable[[Any], None], paced: bool) -> None:
        work = partial(self._ask_store, question, take, paced)
        self.run_worker(work, group="read", thread=True, exit_on_error=False)

    def _ask_store(self, question: Question | LongQuestion, take: Callable[[Any], None], paced: bool) -> None:
        """Runs in a thread."""
        store = self.face.store
        assert store is not None
        try:
            answer = _answer(store, question)
        except Exception as failure:
            self.post_message(ReadFailed(failure, paced))
        else:
            self.post_message(QuestionAnswered(answer, partial(self._finish, take) if paced else take))

    def _finish(self, take: Callable[[Any], None], answer: Any) -> None:
        assert self._pace is not None
        take(answer)
        delay = self._pace.finish(monotonic())
        if delay is not None:
            self._read_in(delay)

    def _take(self, answer: Any) -> None:
        headline = self.show(answer)
        self._shown_at, self._is_outdated = headline.at, False
        self.face.has_read(headline)
        self.tell_news()
        self.tick()

    def warn(self, words: str) -> None:
        """Tell why something is not done."""
        self.notify(words, severity="warning", markup=False)

    def report(self, words: str, severity: SeverityLevel = "information") -> None:
        """Tell what came of work in a thread; called there."""
        self.app.call_from_thread(partial(self.notify, words, severity=severity, markup=False))

    def on_question_answered(self, event: QuestionAnswered) -> None:
        event.stop()
        event.take(event.answer)

    def on_read_failed(self, event: ReadFailed) -> None:
        event.stop()
        self.face.cannot_read(event.failure)
        if event.paced and self._pace:
            self._pace.finish(monotonic())
            self.set_timer(_RETRY_SECONDS, self.news)
        self.tick()


def _answer(store: Store, question: Question | LongQuestion) -> Any:
    if isinstance(question, LongQuestion):
        return question.ask_in(store)
    with store.reading() as connection:
        return question.ask(connection)
