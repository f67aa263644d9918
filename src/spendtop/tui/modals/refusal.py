"""Why a changed configuration is refused, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.tui.modals.dialog import ReadingDialog

if TYPE_CHECKING:
    from spendtop.domain.untrusted import Untrusted

_WHAT_NEXT = "The configuration before goes on. Correct the file and save it: it is read again at once."


class RefusalScreen(ReadingDialog):
    """Every slip on a line of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,enter", "cancel", "close")]
    HINT = "j k scroll · esc closes"

    def __init__(self, reason: Untrusted) -> None:
        super().__init__("Configuration refused")
        self._reason = reason

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static(f"{self._reason.text()}\n\n{_WHAT_NEXT}", id="reason", markup=False)
