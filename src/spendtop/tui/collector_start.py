"""Starting a collector from the screens, where none runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from spendtop.domain.errors import SpendtopError

if TYPE_CHECKING:
    from textual.app import App

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

    def begin(self) -> None:
        """Start one in a thread; why none could be started is told."""
        self._is_under_way = True
        self._app.notify("Starting a collector...", markup=False)
        self._app.run_worker(self._work, thread=True, exit_on_error=False, group="store")

    def _work(self) -> None:
        assert self._session.start_collector is not None
        try:
            self._session.start_collector()
        except SpendtopError as failure:
            words = f"No collector could be started: {failure}"
            self._app.call_from_thread(partial(self._app.notify, words, severity="error", timeout=20, markup=False))
        finally:
            self._is_under_way = False
