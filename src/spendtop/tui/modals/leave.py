"""Leaving: what becomes of the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from spendtop.tui.modals.choose import CHOOSE_HINT
from spendtop.tui.session import Collector

if TYPE_CHECKING:
    from spendtop.tui.app import SpendtopApp

_SHORT = 14


class LeaveScreen(ModalScreen[None]):
    """Asks only what matters: a collector that this viewer did not start is never stopped here."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,n", "cancel", "cancel"), ("y", "leave", "leave")]

    def __init__(self, collector: Collector | None, demo: bool) -> None:
        super().__init__()
        self._collector = collector
        self._demo = demo

    def compose(self) -> ComposeResult:
        """What goes on, and the choices; these first where not all may fit."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Leave spendtop?"
            dialog.border_subtitle = CHOOSE_HINT
            words = Label(self._words(), markup=False)
            choices = OptionList(*self._choices(), compact=True, markup=False)
            yield from (choices, words) if self.app.size.height < _SHORT else (words, choices)

    def _words(self) -> str:
        collector = self._collector
        if self._demo:
            return "The demo's store and traffic end with this window."
        if collector is None:
            return "No collector runs: nothing is recorded while you are away."
        if not collector.started_here:
            return f"The collector (process {collector.pid}) was started elsewhere and goes on recording."
        others = collector.other_viewers
        watch = "Nobody else watches." if not others else f"{others} other viewer{'s' * (others > 1)} will lose it."
        return f"This viewer started the collector (process {collector.pid}). {watch}"

    def _choices(self) -> list[Option]:
        collector = self._collector
        if self._demo or collector is None or not collector.started_here:
            return [Option("Leave", id="leave"), Option("Stay", id="stay")]
        return [
            Option("Leave it running, requests are still recorded", id="leave"),
            Option("Stop it: requests are missed until it runs again", id="stop"),
            Option("Stay", id="stay"),
        ]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Do as chosen."""
        app = cast("SpendtopApp", self.app)
        if event.option_id == "leave":
            self.action_leave()
        elif event.option_id == "stop":
            app.stop_and_leave()
        else:
            self.dismiss()

    def action_leave(self) -> None:
        """Leave; the collector goes on."""
        cast("SpendtopApp", self.app).action_detach()

    def action_cancel(self) -> None:
        """Stay."""
        self.dismiss()
