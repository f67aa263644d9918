"""Starting a collector from the screens, where none runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from spendtop.domain.errors import SpendtopError
from spendtop.domain.untrusted import clean_line

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel

    from spendtop.tui.session import Session


class CollectorStart:
    """One at a time."""

    def __init__(self, app: App[Any], session: Session) -> None:
        self._app = app
        self._session = session
        self._is_under_way = False

    @property
    def is_possible(self) -> bool:
        """Whether this viewer may start one, and does not do so already."""
        return self._session.start_collector is not None and not self._is_under_way

    def begin(self, before: str | None) -> None:
        """Start one in a thread; told is why none could be started, and when it listens elsewhere than at `before`."""
        self._is_under_way = True
        self._app.notify("Starting a collector...", markup=False)
        self._app.run_worker(partial(self._work, before), thread=True, exit_on_error=False, group="store")

    def _work(self, before: str | None) -> None:
        assert self._session.start_collector is not None
        try:
            self._session.start_collector()
        except SpendtopError as failure:
            self._tell(f"No collector could be started: {failure}", "error")
        else:
            collector = self._session.collector()
            if collector is not None and collector.url and before and collector.url != before:
                words = f"The collector listens at {clean_line(collector.url)} now, not at {clean_line(before)}: "
                self._tell(f"{words}who sends there is refused. Set port under [server] to keep one.", "warning")
        finally:
            self._is_under_way = False

    def _tell(self, words: str, severity: SeverityLevel) -> None:
        self._app.call_from_thread(partial(self._app.notify, words, severity=severity, timeout=20, markup=False))
