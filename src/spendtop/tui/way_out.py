"""Leaving the screens, and what becomes of the collector then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spendtop.domain.errors import ExitCode, SpendtopError
from spendtop.tui.store_watch import WatchFailed

if TYPE_CHECKING:
    from textual.app import App

    from spendtop.tui.modals.leave import LeaveScreen
    from spendtop.tui.session import AttachedCollector, Session


class WayOut:
    def __init__(self, app: App[Any], session: Session) -> None:
        self._app = app
        self._session = session
        self._question: LeaveScreen | None = None
        """The last one."""

    def ask(self, collector: AttachedCollector | None, is_known: bool, by_mistake: bool) -> None:
        """`is_known` says whether it was looked for a collector already. What was pressed `by_mistake`, going back once
        too often, is answered by staying."""
        from spendtop.tui.modals.leave import STAY, LeaveScreen, Leaving

        ways = {Leaving.DETACH: self.detach, Leaving.STOP: self._stop}
        chosen = STAY if by_mistake else Leaving.DETACH
        self._question = LeaveScreen(collector, self._session.demo, is_known, chosen)
        self._app.push_screen(self._question, lambda leaving: ways[leaving]() if leaving else None)

    def follow(self, collector: AttachedCollector | None) -> None:
        """What was seen of the collector: a question that is open is about that."""
        if self._question is not None and self._question.is_running:
            self._question.follow(collector)

    def detach(self) -> None:
        """The collector goes on."""
        self._app.exit(return_code=ExitCode.OK)

    def _stop(self) -> None:
        self._app.notify("Stopping the collector...", markup=False)
        self._app.run_worker(self._stop_collector, thread=True, exit_on_error=False, group="store")

    def _stop_collector(self) -> None:
        """Runs in a thread."""
        try:
            self._session.stop_collector()
        except SpendtopError as failure:
            self._app.post_message(WatchFailed(failure))
        else:
            self._app.call_from_thread(self.detach)
