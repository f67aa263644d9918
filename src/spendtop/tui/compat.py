"""Where Textual needs help: colourless output, a last guard against control characters, crashes, and fewer bytes.

Everything that leans on Textual's own insides is here, in `keyboard` and in `terminal`: there a new version is checked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from traceback import format_exception

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual import screen as textual_screen
from textual._compositor import CompositorUpdate
from textual.actions import ActionParseResult, SkipAction
from textual.app import App, ScreenStackError
from textual.binding import Binding
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Input

from spendtop.domain.untrusted import clean_line
from spendtop.tui.terminal import Terminal

_PAINT_SECONDS = 1 / 250
"""Between two paints. Textual's own sixtieth is what a key would wait that comes right after one."""
_log = logging.getLogger(__name__)
_WIDEST_ESCAPE = 9
_VARYING = "\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef"
_JOINED = re.compile(f"(.?)(?:[{_VARYING}]|\u200d.?)+")
_MARKS = str.maketrans(
    {
        **dict.fromkeys("─━═▔▀▁▂▃▄", "-"),
        **dict.fromkeys("│┃║▌▐▊▎▏▕", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
        **dict.fromkeys("█▓▅▆▇", "#"),
        **dict.fromkeys("▒░", "."),
        **dict.fromkeys("…", "~"),
        **dict.fromkeys("→▶", ">"),
        **dict.fromkeys("↓▼", "v"),
        **dict.fromkeys("↑▲", "^"),
        **dict.fromkeys("←", "<"),
        **dict.fromkeys("●•", "*"),
        "·": "|",
        "⏎": "$",
    }
)


class SafeText(LineFilter):
    """Second guard: text that reaches the renderer uncleaned loses its control characters here."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(control or text.isprintable() for text, _, control in segments):
            return segments
        return [
            segment
            if segment.control or segment.text.isprintable()
            else Segment(_harmless(segment.text), segment.style)
            for segment in segments
        ]


class PlainEmoji(LineFilter):
    """Of joined or varied emoji the first alone: terminals do not agree how wide the joined forms are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            piece if piece.control or piece.text.isascii() else Segment(_without_joiners(piece.text), piece.style)
            for piece in segments
        ]


class ColorLess(LineFilter):
    """Leaves shape and emphasis, and no colour at all."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.style is None or segment.control
            else Segment(segment.text, _without_color(segment.style))
            for segment in segments
        ]


class AsciiMarks(LineFilter):
    """Frames, blocks and other marks as plain ASCII; text from outside stays as it is."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            piece if piece.control or piece.text.isascii() else Segment(piece.text.translate(_MARKS), piece.style)
            for piece in segments
        ]


class SpareUpdate(CompositorUpdate):
    """An update that is reduced to what differs at the moment it is written."""

    def __init__(self, update: CompositorUpdate, terminal: Terminal, colors: ColorSystem | None) -> None:
        """`colors` None means as many as the terminal has."""
        self._update = update
        self._terminal = terminal
        self._colors = colors

    def render_segments(self, console: Console) -> str:
        """The escape sequences to send."""
        colors = self._colors or console._color_system or ColorSystem.TRUECOLOR
        spare = self._terminal.render(self._update, colors)
        return self._update.render_segments(console) if spare is None else spare


class KeptStylesheet(Stylesheet):
    """Parses a source again only when the variables are others: Textual's own does so four times before it paints."""

    def set_variables(self, variables: dict[str, str]) -> None:
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        self.parse()


class CarefulApp(App[int]):
    """An app that paints only what differs, shows no control characters, and crashes without telling secrets."""

    def __init__(self, ascii_marks: bool) -> None:
        super().__init__()
        textual_screen.UPDATE_PERIOD = _PAINT_SECONDS  # type: ignore[misc]
        self.animation_level = "none"
        self.stylesheet = KeptStylesheet(variables=self.get_css_variables())
        self.terminal = Terminal()
        self.colorless = self.no_color
        self.color_limit: ColorSystem | None = None
        """Fewer colours than the terminal has, to send fewer bytes."""
        self._plain_emoji = PlainEmoji()
        self._safe_text = SafeText()
        self._color_less = ColorLess()
        self._ascii_marks = [AsciiMarks()] if ascii_marks else []
        self._clashes_told: set[str] = set()
        self.crash: str | None = None
        """What ended the program, for the log."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters without its grey NO_COLOR, then ours."""
        filters = [each for each in super().get_line_filters() if type(each).__name__ not in ("Monochrome", "NoColor")]
        return [
            *filters,
            self._plain_emoji,
            self._safe_text,
            *self._ascii_marks,
            *([self._color_less] if self.colorless else []),
        ]

    def on_key(self, event: events.Key) -> None:
        """Keys typed ahead of the field that they are meant for come up here; what reached it in time does not."""
        field = self.focused
        if isinstance(field, Input) and event.is_printable and event.character:
            field.replace(event.character, *field.selection)
            event.stop()
            event.prevent_default()

    def clear_selection(self) -> None:
        """The first screen's fields ask for this before there is a screen where tasks begin at once: on Python 3.12."""
        with suppress(ScreenStackError):
            super().clear_selection()

    def forget_terminal(self) -> None:
        """Something else may have painted on the terminal: paint all of it anew."""
        self.terminal.forget()
        self.refresh(layout=True)

    def action_redraw(self) -> None:
        self.forget_terminal()

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """A keymap that gives one key to two actions: say which, once, as every part of a screen meets it anew."""
        for name in {binding.id or "" for binding in clashed_bindings} - self._clashes_told:
            self._clashes_told.add(name)
            words = f"[ui] keymap: the key of '{name}' is taken; give it another one."
            self.notify(words, severity="warning", markup=False)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """An action that fails is logged and named; the screen goes on."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except SkipAction:
            raise
        except Exception as failure:
            _log.exception("the action %s failed", action)
            self.notify(f"That did not work ({type(failure).__name__}); it is in the log.", severity="error")
            return True

    def send_to_terminal(self, sequence: str) -> None:
        """A control sequence of our own, such as one for the clipboard."""
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = SpareUpdate(renderable, self.terminal, self.color_limit)
        super()._display(screen, renderable)

    def get_driver_class(self) -> type[Driver]:
        """Ours in the place of Textual's usual one."""
        from spendtop.tui.keyboard import Keyboard

        chosen = super().get_driver_class()
        return Keyboard if issubclass(Keyboard, chosen) else chosen

    def panic(self, *renderables: RenderableType) -> None:
        """What Textual would show may hold keys."""
        self._fatal_error()

    def _fatal_error(self) -> None:
        """Leave with the plain traceback in the log and one sentence on the screen: locals may hold keys."""
        failure = self._exception
        self.crash = "".join(format_exception(failure, chain=True)) if failure else "unknown"
        _log.critical("the screen crashed\n%s", self.crash)
        name = type(failure).__name__ if failure else "an unknown error"
        self._exit_renderables.append(
            Text(f"spendtop's screen crashed ({name}). The collector goes on; start `spendtop` again to look at it.")
        )
        self._return_code = 70
        self._close_messages_no_wait()


def _without_joiners(text: str) -> str:
    return _JOINED.sub(lambda found: set_cell_size(found[1], cell_len(found[0])), text)


def _harmless(text: str) -> str:
    _log.warning("uncleaned text reached the renderer")
    return clean_line(text, limit=_WIDEST_ESCAPE * len(text))


@lru_cache(4096)
def _without_color(style: Style) -> Style:
    return Style(
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        reverse=style.reverse,
        strike=style.strike,
        meta=style.meta or None,
    )
