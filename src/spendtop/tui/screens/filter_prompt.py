"""The line in which a filter is typed: what is wrong with it, how it could go on, and how it is completed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from spendtop.domain.filters.filters import FIELDS, Filter, FilterError, parse_filter, quoted
from spendtop.tui.palette import Palette
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.prompt import PromptKind

if TYPE_CHECKING:
    from spendtop.domain.untrusted import Untrusted

_LAST_WORD = re.compile(r"[^\s()|&!]*$")
_VALUE_OF = re.compile(r"(?:~(?P<short>\w+)\s+|(?P<long>\w+):)(?P<prefix>[^\s()|&!]*)$")
_BARE = re.compile(r"[\w.@/+-]+")
_OBSERVED = ("user", "model", "session", "token", "provider", "source")


@dataclass(frozen=True, slots=True)
class CheckedFilter:
    """A filter's text and what it means."""

    text: str
    filter: Filter | None
    error: FilterError | None


@dataclass(frozen=True, slots=True)
class PartialValue:
    """A value that is being typed: of which field, and how it begins."""

    field: str
    prefix: str


class FilterPrompt:
    """The prompt of a screen, while it asks for a filter."""

    def __init__(
        self, screen: LiveScreen, matches: Callable[[str], str], choose: Callable[[str, Filter], None]
    ) -> None:
        """`matches` says how much a valid text selects; `choose` gets one that was entered, and what it means."""
        self._screen = screen
        self._matches = matches
        self._choose = choose

    @property
    def _is_open(self) -> bool:
        return self._screen.prompt.open and self._screen.prompt.kind is PromptKind.FILTER

    def holds(self, text: str) -> bool:
        """Whether this is what is typed at the moment."""
        return self._is_open and self._screen.prompt.input.value == text

    def open(self, text: str) -> None:
        """With what is selected now, ready for a further word."""
        self._screen.open_prompt(PromptKind.FILTER, f"{text} " if text.strip() else "")

    def show_hint(self) -> None:
        """Below the line, while a filter is typed."""
        if self._is_open:
            checked = check(self._screen.prompt.input.value)
            matches = self._matches(checked.text)
            self._screen.hint(hint(checked, matches, self._screen.face.palette, self._screen.size.width))

    def submit(self, text: str) -> None:
        """Hand over what is valid; what is not goes back to be changed."""
        checked = check(text)
        if checked.filter is None:
            self._screen.prompt.reopen(text)
        else:
            self._choose(text.strip(), checked.filter)

    def complete(self, text: str) -> None:
        """Names of fields, then values that were seen."""
        value_part = partial_value(text)
        if value_part is None:
            self._screen.prompt.put(complete_field(text))
            return
        from spendtop.tui.screens.questions import ValuesQuestion

        question = ValuesQuestion(value_part.field, value_part.prefix)
        self._screen.ask(question, partial(self._take_values, text, value_part))

    def _take_values(self, text: str, value_part: PartialValue, values: list[Untrusted]) -> None:
        if not self.holds(text):
            return
        palette = self._screen.face.palette
        seen = "  ".join(f"{value}" for value in values)
        if values and values[0].raw.casefold() != value_part.prefix.casefold():
            self._screen.prompt.put(with_value(text, value_part, values[0].raw))
        self._screen.hint([(" seen: ", palette.muted), (seen or "nothing that begins so", palette.text)])


def check(text: str) -> CheckedFilter:
    try:
        return CheckedFilter(text, parse_filter(text), None)
    except FilterError as error:
        return CheckedFilter(text, None, error)


def hint(checked: CheckedFilter, matches: str, palette: Palette, width: int) -> Line:
    """Below the line: a caret under what is wrong, or how many match and what can be typed."""
    if checked.error is None:
        if not checked.text.strip():
            shown = [*(field.example for field in list(FIELDS.values())[:5]), FIELDS["error"].long_example]
            examples = "  ".join(shown)
            return [(" e.g. ", palette.muted), (examples, palette.text), ("   & | ! ( ) combine", palette.muted)]
        return [(f" {matches}", palette.good), ("   tab completes   enter keeps   esc gives up", palette.muted)]
    column = 3 + checked.error.position
    for words in _wordings(checked.error):
        if column + len(words) + 2 <= width:
            return [(" " * column, palette.text), ("^ ", palette.bad), (words, palette.bad)]
        if len(words) < column:
            return [(" " * (column - len(words) - 1), palette.text), (words, palette.bad), (" ^", palette.bad)]
    return [(" ", palette.text), (words, palette.bad)]


def _wordings(error: FilterError) -> list[str]:
    """What is wrong, the longest first: in the end what to type instead, which is what helps."""
    wordings = [str(error), error.message.partition("; ")[0]]
    if error.suggestion is not None:
        hint = f"did you mean '{error.suggestion}'?"
        wordings[1:] = [f"{wordings[1]}; {hint}", hint]
    return wordings


def partial_value(text: str) -> PartialValue | None:
    """The observed value that the end of the text asks for."""
    match = _VALUE_OF.search(text)
    if match is None:
        return None
    if match["short"]:
        names = [field.name for field in FIELDS.values() if field.short == match["short"]]
    else:
        names = [match["long"]]
    return PartialValue(names[0], match["prefix"]) if names and names[0] in _OBSERVED else None


def complete_field(text: str) -> str:
    """The text with the name of the field at its end completed, if that is clear."""
    match = _LAST_WORD.search(text)
    word = match[0].removeprefix("-") if match else ""
    if word.startswith("~"):
        options = [f"~{field.short} " for field in FIELDS.values()]
    else:
        options = [field.long for field in FIELDS.values()]
    fitting = [option for option in options if option.startswith(word)]
    return text[: len(text) - len(word)] + fitting[0] if word and fitting else text


def with_value(text: str, value_part: PartialValue, value: str) -> str:
    """The text with the value in place of its beginning, quoted where it needs to be."""
    bare = _BARE.fullmatch(value) is not None
    return text[: len(text) - len(value_part.prefix)] + (value if bare else quoted(value))
