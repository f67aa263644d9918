"""Why the cost changed, cause by cause and model by model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.domain.cost_words import exact
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.spend_change import Cause, SpendChange
from spendtop.domain.untrusted import clean_line
from spendtop.tui.breakdown.change_line import WORDS, change_words
from spendtop.tui.modals.dialog import Dialog
from spendtop.tui.widgets.canvas import fit, fit_middle, fit_right

if TYPE_CHECKING:
    from spendtop.tui.face import Face

_MOST = 30
_NAME, _AMOUNT, _MODEL = 9, 18, 24
_WIDEST, _AROUND = 110, 6
"""Of the dialog, and of its frame with the scroll bar."""


class ChangeScreen(Dialog[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("q,d", "cancel", "back")]
    HINT = "esc closes"

    def __init__(self, change: SpendChange, when: str) -> None:
        super().__init__(f"What changed: {when}")
        self._change = change

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text"):
            yield Static(Text("\n").join(self._lines()), id="causes")

    def _lines(self) -> list[Text]:
        change = self._change
        lines = [
            f"{fit(WORDS[cause][0], _NAME)}{fit_right(_exact(amount), _AMOUNT)}  {WORDS[cause][1]}"
            for cause, amount in change.largest_first
        ]
        lines.append(f"{fit('TOTAL', _NAME)}{fit_right(_exact(change.total), _AMOUNT)}  of requests with a known cost")
        models = sorted(change.models.items(), key=lambda item: -abs(_sum(item[1]).nano))
        moved = [(model, causes) for model, causes in models if any(amount.nano for amount in causes.values())]
        if moved:
            lines += ["", "Of each model, beside volume and mix:"]
        texts = [Text(line) for line in lines]
        texts += [self._of_model(model, causes) for model, causes in moved[:_MOST]]
        if len(moved) > _MOST:
            texts.append(Text(f"and {len(moved) - _MOST} more models"))
        return texts

    def _of_model(self, model: str, causes: Mapping[Cause, Usd]) -> Text:
        face = cast("Face", self.app)
        room = min(self.app.size.width, _WIDEST) - _AROUND - _MODEL
        by_size = sorted(causes.items(), key=lambda part: -abs(part[1].nano))
        moved = [(cause, amount) for cause, amount in by_size if amount.nano]
        words = change_words(_sum(causes), moved, [], room, face.palette, face.glyphs)
        return Text.assemble(fit_middle(clean_line(model) or "(no model)", _MODEL, face.glyphs.cut), *words)


def _sum(causes: Mapping[Cause, Usd]) -> Usd:
    return sum(causes.values(), ZERO)


def _exact(amount: Usd) -> str:
    return f"+{exact(amount)}" if amount.nano > 0 else exact(amount)
