"""Leaving: what becomes of the collector."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from spendtop.domain.counted import counted
from spendtop.tui.modals.choose import CHOOSE_HINT
from spendtop.tui.modals.dialog import Dialog, Picker
from spendtop.tui.session import AttachedCollector

_SHORT = 14


class Leaving(StrEnum):
    DETACH = "detach"
    """The collector goes on."""
    STOP = "stop"


STAY = "stay"


class LeaveScreen(Dialog[Leaving]):
    """Asks only what matters: a collector that this viewer did not start is never stopped here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,n", "cancel", "cancel"),
        ("y", "leave", "leave"),
        ("colon", "command", "command"),
    ]
    HINT = CHOOSE_HINT

    def __init__(
        self, collector: AttachedCollector | None, demo: bool, asked: bool = True, chosen: str = Leaving.DETACH
    ) -> None:
        """`asked` says whether it was looked for a collector already; `chosen` is the option that enter takes at first,
        STAY where somebody only wanted to go back."""
        super().__init__("Leave spendtop?")
        self._asked = asked
        self._chosen = chosen
        self._collector = collector
        self._demo = demo

    def body(self) -> ComposeResult:
        """What goes on, and the choices; these first where not all may fit."""
        words = Label(self._words(), id="standing", markup=False)
        choices = Picker(*self._choices(), compact=True, markup=False)
        choices.highlighted = choices.get_option_index(self._chosen)
        yield from (choices, words) if self.app.size.height < _SHORT else (words, choices)

    def follow(self, collector: AttachedCollector | None) -> None:
        """What was seen of the collector since it was asked. The cursor stays on its option."""
        self._collector, self._asked = collector, True
        self.query_one("#standing", Label).update(self._words())
        choices, options = self.query_one(Picker), self._choices()
        before = choices.highlighted_option
        chosen = STAY if before is None or all(before.id != option.id for option in options) else str(before.id)
        choices.set_options(options)
        choices.highlighted = choices.get_option_index(chosen)

    def _words(self) -> str:
        collector = self._collector
        if self._demo:
            return "The demo's store and traffic end with this window."
        if collector is None and not self._asked:
            return "Whether a collector runs is not known yet."
        if collector is None:
            return "No collector runs: nothing is recorded while you are away."
        if not collector.started_here:
            goes_on = "goes on recording; `spendtop stop` stops it."
            return f"The collector (process {collector.pid}) was started elsewhere and {goes_on}"
        others = len(collector.other_viewers)
        watch = "Nobody else watches." if not others else f"{counted(others, 'other viewer')} will lose it."
        return f"This viewer started the collector (process {collector.pid}). {watch}"

    def _choices(self) -> list[Option]:
        collector = self._collector
        if self._demo or collector is None or not collector.started_here:
            return [Option("Leave", id=Leaving.DETACH), Option("Stay", id=STAY)]
        return [
            Option("Leave it running, requests are still recorded", id=Leaving.DETACH),
            Option("Stop it: requests are missed until it runs again", id=Leaving.STOP),
            Option("Stay", id=STAY),
        ]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(None if event.option_id == STAY else Leaving(event.option_id or ""))

    def action_command(self) -> None:
        """Whoever typed `:` meant the command line."""
        self.dismiss(None)
        self.app.call_after_refresh(self.app.run_action, "screen.command")

    def action_leave(self) -> None:
        self.dismiss(Leaving.DETACH)
