"""A new limit: typed, looked at as it will stand in the file, and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Label, Static

from spendtop.tui.modals.dialog import Dialog, FormDialog, ReadingDialog

if TYPE_CHECKING:
    from spendtop.config.limit_draft import LimitDraft

_FIELDS = {
    "name": "for example daily",
    "window": "one of 1h, 24h, hour, day, week, month, request, session, lifetime, 5h-block",
    "usd": "for example 100",
    "each": "empty: everyone; user, model, model_family, token, session",
    "where": "empty: all requests; for example -model:gpt-4o-mini",
    "measure": "empty: spend; api_equivalent: usage under plans",
    "warn": "empty: 80 %; for example 50%, 80%; none",
    "notify": "empty: all channels; for example ops; none",
}
"""What each field takes, by its key in the file."""

Check = Callable[["LimitDraft"], Mapping[str, str]]
"""What is wrong with a draft, by field; runs in a thread."""


class LimitFormScreen(FormDialog["LimitDraft"]):
    """Gives a draft with which nothing is wrong, or None. What is wrong stands below its field."""

    HINT = "tab next · enter shows it · esc gives up"

    def __init__(self, draft: Mapping[str, str], check: Check) -> None:
        super().__init__("New limit", "")
        self._draft = draft
        self._check = check

    def fields(self) -> ComposeResult:
        with VerticalScroll(id="fields", can_focus=False):
            for key, hint in _FIELDS.items():
                with Horizontal(classes="field"):
                    yield Label(key, classes="key", markup=False)
                    yield Input(self._draft.get(key, ""), placeholder=hint, id=key, compact=True)
                yield Label(id=f"{key}-problem", classes="problem", markup=False)

    def on_mount(self) -> None:
        super().on_mount()
        self._tell({})

    def action_submit(self) -> None:
        from spendtop.config.limit_draft import LimitDraft

        draft = LimitDraft({key: self.typed(key) for key in _FIELDS})
        self.run_worker(partial(self._look, draft), thread=True, exit_on_error=False)

    def _look(self, draft: LimitDraft) -> None:
        problems = self._check(draft)
        self.app.call_from_thread(self._looked, draft, problems)

    def _looked(self, draft: LimitDraft, problems: Mapping[str, str]) -> None:
        if not problems:
            self.dismiss(draft)
            return
        self._tell(problems)
        first = next((key for key in _FIELDS if key in problems), "name")
        self.query_one(f"#{first}", Input).focus()

    def _tell(self, problems: Mapping[str, str]) -> None:
        for key in _FIELDS:
            label = self.query_one(f"#{key}-problem", Label)
            label.update(f"! {problems.get(key, '')}")
            label.display = key in problems
        self.complain(next((words for key, words in problems.items() if key not in _FIELDS), ""))


class LimitPreviewScreen(Dialog[bool]):
    """Gives True to save, False to change it again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("s,enter", "save", "save"),
        ("b", "backtest", "back-test"),
        ("q", "cancel", "back"),
    ]
    HINT = "s saves · b back-test · esc changes it again"

    def __init__(self, path: Path, lines: Sequence[str], backtest: Callable[[], None]) -> None:
        super().__init__("Save this limit?")
        self._path = path
        self._lines = lines
        self._backtest = backtest

    def body(self) -> ComposeResult:
        yield Label(f"It goes into {self._path}; all else of the file stays.", markup=False)
        yield Static("\n".join(self._lines), id="toml", markup=False)

    def action_save(self) -> None:
        self.dismiss(True)

    def action_backtest(self) -> None:
        self._backtest()

    def action_cancel(self) -> None:
        self.dismiss(False)


class ChangedFileScreen(ReadingDialog):
    """The file was changed while the form was open: what it holds now, and what was not saved."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,enter", "cancel", "close")]
    HINT = "j k scroll · esc goes back to the form"

    def __init__(self, path: Path, changes: Sequence[str], lines: Sequence[str]) -> None:
        super().__init__("Not saved: the file has changed meanwhile")
        kept = ("", "This limit is not in it yet; the form keeps it:", "", *lines)
        self._words = "\n".join([f"Somebody changed {path}:", "", *changes, *kept])

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static(self._words, markup=False)
