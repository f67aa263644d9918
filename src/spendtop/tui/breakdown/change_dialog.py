"""Why the cost changed, cause by cause and model by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.domain.breakdown.spend_change import Cause, SpendChange
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import clean_line
from spendtop.tui.breakdown.change_line import WORDS, change_words, signed
from spendtop.tui.modals.dialog import Dialog
from spendtop.tui.widgets.canvas import fit, fit_middle, fit_right

if TYPE_CHECKING:
    from spendtop.tui.face import Face

_MOST = 30
_NAME, _AMOUNT, _MODEL = 9, 14, 24
_WIDEST, _AROUND = 110, 6
"""Of the dialog, and of its frame with the scroll bar."""


class ChangeScreen(Dialog[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("q,d", "cancel", "back")]
    HINT = "esc closes"

    def __init__(self, changes: Sequence[tuple[str, SpendChange]], when: str) -> None:
        """`changes` with what each is of."""
        super().__init__(f"What changed: {when}")
        self._changes = changes

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text"):
            yield Static(Text("\n").join(self._lines()), id="causes")

    def _lines(self) -> list[Text]:
        lines: list[Text] = []
        for of, change in self._changes:
            if len(self._changes) > 1:
                lines += [Text(""), Text(f"Of {of}:")] if lines else [Text(f"Of {of}:")]
            lines += self._of_change(change)
        return lines

    def _of_change(self, change: SpendChange) -> list[Text]:
        lines = [
            f"{fit(WORDS[cause][0], _NAME)}{fit_right(_figure(amount), _AMOUNT)}  {WORDS[cause][1]}"
            for cause, amount in change.largest_first
        ]
        lines.append(f"{fit('TOTAL', _NAME)}{fit_right(_figure(change.total), _AMOUNT)}  of requests with a known cost")
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


def _figure(amount: Usd) -> str:
    """Four decimals of each, so that they stand below each other; less is written as everywhere."""
    words = f"{abs(amount.dollars):,.4f}"
    sign = "+" if amount.nano > 0 else "-"
    return f"{sign}${words}" if words.strip("0.") else signed(amount)
