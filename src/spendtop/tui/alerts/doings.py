"""What is done about alerts on their screen: taken on, put off, sent again, tried."""

from __future__ import annotations

from collections.abc import Callable
from getpass import getuser
from typing import TYPE_CHECKING

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.store.reads.alerts.attention import AlertRow

_LENGTHS = {"1": ("15 minutes", 15 * MINUTE), "2": ("1 hour", HOUR), "3": ("4 hours", 4 * HOUR)}
_WINDOW = "w"


class AlertDoings:
    """Writes in threads through the same services as commands and API, and says what came of it."""

    def __init__(self, screen: LiveScreen, writer: StoreWriter) -> None:
        self._screen = screen
        self._writer = writer

    @property
    def _now(self) -> int:
        return self._screen.face.session.clock()

    def ack(self, row: AlertRow) -> None:
        """Take it on."""
        by, now = getuser(), self._now

        def work(connection: Connection) -> None:
            from spendtop.services.alerting import actions as alert_actions

            alert_actions.ack(connection, row.id, by, now)

        words = (
            f"Alert {row.id} is taken on by {clean_line(by)}: it speaks again only when it gets worse or begins anew."
        )
        self._write(work, words)

    def snooze(self, row: AlertRow) -> None:
        """Ask for how long, and put it off."""
        if not self._writer.may_write():
            return
        options = [(key, words) for key, (words, _) in _LENGTHS.items()]
        if (end := self._end_of_window(row)) is not None:
            moment = formats.moment(end, self._now, self._screen.calendar)
            options.append((_WINDOW, f"until its window ends, {moment}"))

        def chosen(key: str | None) -> None:
            if key == _WINDOW and end is not None:
                self._snooze(row, end)
            elif key is not None:
                self._snooze(row, self._now + _LENGTHS[key][1])

        self._screen.app.push_screen(ChooseScreen(f"Snooze alert {row.id} for", options), chosen)

    def _end_of_window(self, row: AlertRow) -> int | None:
        from spendtop.services.alerting.actions import LONGEST_SNOOZE

        end, now = row.window_end, self._now
        return end if end is not None and now < end <= now + LONGEST_SNOOZE else None

    def _snooze(self, row: AlertRow, until: int) -> None:
        by, now = getuser(), self._now

        def work(connection: Connection) -> None:
            from spendtop.services.alerting import actions as alert_actions

            alert_actions.snooze(connection, row.id, until, by, now)

        moment = formats.moment(until, now, self._screen.calendar)
        self._write(work, f"Alert {row.id} is silent until {moment}; what stands then is said once.")

    def undo(self) -> None:
        """Take back the last that this person did, where it still stands; says what that was."""
        if not self._writer.may_write():
            return
        by, now = getuser(), self._now

        def work(connection: Connection) -> str:
            from spendtop.services.alerting import actions as alert_actions

            return alert_actions.undo(connection, by, now)

        self._writer.write(work, self._done)

    def send_again(self) -> None:
        """Have the collector send dead messages again."""
        from spendtop.services.tasks import TaskKind

        self._writer.ask_collector(TaskKind.DELIVERY_RETRY, {})

    def test_channels(self) -> None:
        """Have the collector send a test message to every channel; how it went appears in the picture."""
        from spendtop.services.tasks import TaskKind

        self._writer.ask_collector(TaskKind.CHANNEL_TEST, {})

    def _write(self, work: Callable[[Connection], None], words: str) -> None:
        if self._writer.may_write():
            self._writer.write(work, lambda _: self._done(words))

    def _done(self, words: str) -> None:
        self._screen.notify(words, markup=False)
        self._screen.news()
