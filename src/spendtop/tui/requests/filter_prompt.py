"""Typing a filter: it applies while it is typed, as long as it is valid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spendtop.tui import filter_line, formats
from spendtop.tui.requests.browsing import BrowsingScreen
from spendtop.tui.widgets.prompt import Asking, Prompt

if TYPE_CHECKING:
    from spendtop.domain.untrusted import Untrusted

_TYPING_SECONDS = 0.15


class FilterPrompt(BrowsingScreen):
    """The part of the requests screen that is about the filter line and the search in a body."""

    def action_filter(self) -> None:
        self.open_prompt(Asking.FILTER, self.browser.selection.text)

    def action_find(self) -> None:
        self.open_prompt(Asking.FIND, self.detail.found[0])

    def action_clear_filter(self) -> None:
        """Everything again."""
        self.list_only("")

    def on_prompt_edited(self, event: Prompt.Edited) -> None:
        """Apply what is valid, and point at what is not."""
        if event.asking is Asking.FIND:
            self.detail.find(event.text)
            self._show_found()
        elif event.asking is Asking.FILTER:
            self.show_filter_hint()
            self.set_timer(_TYPING_SECONDS, lambda: self._apply_typed(event.text))

    def on_prompt_done(self, event: Prompt.Done) -> None:
        """Keep the filter; one that is not valid leaves the last valid one in place."""
        if event.asking is Asking.FILTER:
            checked = filter_line.check(event.text)
            if checked.error is not None:
                self.open_prompt(Asking.FILTER, event.text)
            else:
                self.list_only(event.text)

    def on_prompt_left(self, event: Prompt.Left) -> None:
        """The filter of before."""
        if event.asking is Asking.FILTER:
            self.list_only(event.before)
        elif event.asking is Asking.FIND:
            self.detail.find("")

    def sums_changed(self) -> None:
        """The hint says how many match."""
        self.show_filter_hint()

    def show_filter_hint(self) -> None:
        """Below the line, while a filter is typed."""
        if not (self.prompt.open and self.prompt.asking is Asking.FILTER):
            return
        checked = filter_line.check(self.prompt.input.value)
        sums = self.browser.sums
        waiting = self.browser.selection.text != checked.text
        matches = "searching" if waiting or sums is None else formats.requests(sums.requests)
        self.hint(filter_line.hint(checked, matches, self.face.palette, self.size.width))

    def complete(self, asking: Asking, text: str) -> None:
        """Names of fields, then values that were seen."""
        if asking is not Asking.FILTER:
            super().complete(asking, text)
            return
        wanted = filter_line.wanted_value(text)
        if wanted is None:
            self.prompt.put(filter_line.complete_field(text))
            return
        from spendtop.tui.reading import ValuesQuestion

        question = ValuesQuestion(wanted.field, wanted.prefix)
        self.ask(question, lambda values: self._take_values(text, wanted, values))

    def _take_values(self, text: str, wanted: filter_line.Wanted, values: list[Untrusted]) -> None:
        if not (self.prompt.open and self.prompt.input.value == text):
            return
        palette = self.face.palette
        others = "  ".join(f"{value}" for value in values)
        if values and values[0].raw.casefold() != wanted.prefix.casefold():
            self.prompt.put(filter_line.with_value(text, wanted, values[0].raw))
        self.hint([(" seen: ", palette.muted), (others or "nothing that begins so", palette.text)])

    def _apply_typed(self, text: str) -> None:
        if self.prompt.open and self.prompt.input.value == text:
            self.list_only(text)

    def list_only(self, text: str) -> None:
        """List what a filter selects; one that is not valid changes nothing."""
        checked = filter_line.check(text)
        chosen = self.browser.selection
        if checked.filter is not None and text != chosen.text:
            self.choose(replace(chosen, text=text, filter=checked.filter))

    def _show_found(self) -> None:
        palette = self.face.palette
        needle, match, matches = self.detail.found
        words = f" match {match}/{matches}" if matches else " not found" if needle else " type what to find"
        self.hint([(words, palette.good if matches else palette.muted)])
