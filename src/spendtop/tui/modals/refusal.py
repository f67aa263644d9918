"""Why a changed configuration is refused, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.tui.modals.dialog import ReadingDialog

if TYPE_CHECKING:
    from spendtop.store.reads.configuration.applied import ConfigOutcome
    from spendtop.tui.face import Face

_WHAT_NEXT = "The configuration before goes on. Correct the file and save it: it is read again at once."
_REPAIRED = "It is repaired: what was saved since is in force."


class RefusalScreen(ReadingDialog):
    """Every slip on a line of its own; those of the next refusal while it is open, or that there is none any more."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,enter", "cancel", "close")]
    HINT = "j k scroll · esc closes"

    def __init__(self, face: Face, refusal: ConfigOutcome) -> None:
        super().__init__("Configuration refused")
        self._face = face
        self._shown: ConfigOutcome | None = refusal

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static(self._words(), id="reason", markup=False)

    def on_mount(self) -> None:
        self.set_interval(self._face.pace_seconds, self._follow)

    def _follow(self) -> None:
        status = self._face.config_status
        refusal = status.refusal(self._face.headline, self._face.session.clock())
        if refusal == self._shown:
            return
        self._shown = refusal
        if refusal is not None:
            status.read(refusal)
        self.query_one(".dialog").border_title = "Configuration applied" if refusal is None else self._title
        self.query_one("#reason", Static).update(self._words())

    def _words(self) -> str:
        return _REPAIRED if self._shown is None else f"{self._shown.text.text()}\n\n{_WHAT_NEXT}"
