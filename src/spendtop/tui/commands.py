"""The `:` line: what can be typed, completed and run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from textual.app import SystemCommand

from spendtop.domain.breakdown.dimensions import DIMENSIONS, Dimension, dimension
from spendtop.domain.errors import SpendtopError, UsageError, nearest
from spendtop.domain.untrusted import clean_line, clean_name
from spendtop.tui.face import Face
from spendtop.tui.screens import SCREENS
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.chart import Graph, SpendChart

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

    from spendtop.tui.saved_views import SavedView
    from spendtop.tui.screens.live_screen import LiveScreen
    from spendtop.tui.themes import Theme


class CommandedFace(Face, Protocol):
    """What commands do something to."""

    theme: str
    themes_by_name: dict[str, Theme]

    @property
    def live_screen(self) -> LiveScreen | None: ...
    @property
    def screen_stack(self) -> Sequence[Screen[object]]: ...
    def notify(self, message: str, *, severity: SeverityLevel, markup: bool) -> None: ...
    def action_leave(self) -> None: ...
    def action_pause(self) -> None: ...
    def action_help(self) -> None: ...
    def action_detach(self) -> None: ...
    @property
    def is_slow(self) -> bool: ...
    def set_slow(self, slow: bool) -> None: ...
    def reload(self) -> None: ...
    def on_screen(self, name: str, act: Callable[[Any], None]) -> None: ...
    def run_key(self, call: str) -> None: ...
    def break_down(self, rows: Dimension, columns: Dimension | None = None) -> None: ...
    def read_refusal(self) -> None: ...


_SETTINGS = {"graph": [kind.value for kind in Graph], "slow": ["on", "off"]}


class PromptCommand(Struct, frozen=True):
    """One command of the `:` line."""

    name: str
    usage: str
    help: str
    run: Callable[[list[str]], None]
    values: Callable[[], list[str]] = list
    """What the first argument can be."""
    further: Callable[[str], list[str]] = lambda first: []
    """What the second one can be, by the first."""

    def arguments(self, before: list[str]) -> list[str]:
        """What the argument behind these can be."""
        match before:
            case []:
                return self.values()
            case [first]:
                return self.further(first)
        return []


class Commands:
    """All commands, bound to one app."""

    def __init__(self, app: CommandedFace) -> None:
        self._app = app
        self._tried: tuple[str, Callable[[], None]] | None = None
        """What is tried while it stands in the line, and how that is taken back."""
        self._walk: tuple[str, list[str], int] | None = None
        """What stands before the word that further tabs exchange, what it can be, and which of these it is."""
        commands = [
            PromptCommand("q", "q", "leave; asks as Q does", lambda _: app.action_leave()),
            PromptCommand("theme", "theme NAME", "change the colours", self._theme, lambda: list(app.themes_by_name)),
            PromptCommand(
                "set",
                "set graph|slow VALUE",
                "change how it is shown",
                self._set,
                lambda: list(_SETTINGS),
                lambda first: _SETTINGS.get(first, []),
            ),
            PromptCommand("reload", "reload", "read theme files and the store again", self._reload),
            PromptCommand(
                "export",
                "export csv|jsonl PATH",
                "write what is listed to a file",
                self._export,
                lambda: ["csv", "jsonl"],
            ),
            PromptCommand(
                "reprice",
                "reprice [undo ID]",
                "price what is listed anew; compares first",
                self._reprice,
                lambda: ["undo"],
            ),
            PromptCommand(
                "by",
                "by ROWS [COLUMNS]",
                "break spend down, such as :by user model",
                self._by,
                lambda: list(DIMENSIONS),
                lambda first: list(DIMENSIONS),
            ),
            PromptCommand("refusal", "refusal", "why a changed configuration is refused", lambda _: app.read_refusal()),
            PromptCommand("pause", "pause", "freeze the picture, or let it go on", lambda _: app.action_pause()),
            PromptCommand("help", "help", "the keys that work now", lambda _: app.action_help()),
            PromptCommand("detach", "detach", "leave; the collector goes on", lambda _: app.action_detach()),
        ]
        commands += [*self._views(), *self._ways()]
        self.all = {command.name: command for command in sorted(commands, key=lambda command: command.name)}

    def _views(self) -> list[PromptCommand]:
        """Other times, and what was saved."""
        app = self._app
        return [
            PromptCommand("at", "at TIME", "show all as of 02:40, yesterday 14:00, 2026-11-19 02:40", self._at),
            PromptCommand("now", "now", "back to now", lambda _: app.time_machine.back()),
            PromptCommand(
                "view",
                "view [save|forget] NAME",
                "list what a saved view lists; save keeps what is listed",
                self._view,
                lambda: ["save", "forget", *app.saved_views.names],
                lambda first: app.saved_views.names if first in ("save", "forget") else [],
            ),
        ]

    def _ways(self) -> list[PromptCommand]:
        """To lists and screens."""
        lists = [
            PromptCommand(
                name,
                f"{name} [NAME]",
                f"{name}: cost, change, last seen, their limits",
                self._entity_opener(dimension(of)),
            )
            for name, of in (("users", "user"), ("models", "model_family"), ("tokens", "token"))
        ]
        return lists + [
            PromptCommand(entry.command, entry.command, entry.help, self._opener(name))
            for name, entry in SCREENS.items()
        ]

    def run(self, text: str) -> None:
        try:
            words = shlex.split(text)
            if words:
                command, rest = self._find(words[0]), words[1:]
                if rest and command.usage == command.name:
                    raise UsageError(f"':{command.name}' takes nothing after it.")
                command.run(rest)
        except (SpendtopError, ValueError, OSError) as failure:
            self._app.notify(clean_line(str(failure)), severity="warning", markup=False)

    def complete(self, text: str, step: int) -> str:
        """As far as the word is clear; then each further call takes the next word that it can be, or the one before."""
        if self._walk is not None and text == self._walked(self._walk):
            head, options, at = self._walk
            self._walk = head, options, (at + step) % len(options)
            return self._walked(self._walk)
        self._walk = None
        head, space, last = text.rpartition(" ")
        fitting = [option for option in self._options(text) if option.startswith(last)]
        if not fitting:
            return text
        shared = _shared_start(fitting)
        if space and len(fitting) > 1 and shared == last:
            self._walk = head + space, fitting, 0 if step > 0 else len(fitting) - 1
            return self._walked(self._walk)
        return head + space + shared + (" " if len(fitting) == 1 else "")

    def _walked(self, walk: tuple[str, list[str], int]) -> str:
        head, options, at = walk
        return head + options[at]

    def _options(self, text: str) -> list[str]:
        """What the last word can be."""
        head, space, _ = text.rpartition(" ")
        if not space:
            return list(self.all)
        command = self.all.get(head.split(" ")[0])
        return command.arguments(head.split()[1:]) if command else []

    def hint(self, text: str) -> Line:
        palette = self._app.palette
        word, space, rest = text.lstrip().partition(" ")
        command = self.all.get(word)
        if command and (space or len([name for name in self.all if name.startswith(word)]) == 1):
            line = [(f" :{command.usage}", palette.key), (f"  {command.help}  ", palette.muted)]
            if self._walk is not None and text == self._walked(self._walk):
                return [(" ", palette.text), *self._walk_line(*self._walk[1:])]
            before, _, last = rest.lstrip().rpartition(" ")
            values = [value for value in command.arguments(before.split()) if value.startswith(last)]
            return [*line, ("  ".join(values), palette.text)]
        names = [name for name in self.all if name.startswith(word)]
        if not names:
            return [(f" no command {word[:20]!r}", palette.bad), (self._nearest(word), palette.muted)]
        return [(" ", palette.text), ("  ".join(names), palette.muted)]

    def _walk_line(self, options: list[str], at: int) -> Line:
        """The one that is tried first, with those that tab takes next."""
        palette = self._app.palette
        others = "  ".join(map(clean_line, options[at + 1 :] + options[:at]))
        return [(clean_line(options[at]), palette.key), (f"  tab takes the next: {others}", palette.muted)]

    def preview(self, text: str) -> None:
        """Show a theme or a kind of chart while its name stands in the line."""
        match text.split():
            case ["theme", name] if name in self._app.themes_by_name:
                self._try("theme", partial(setattr, self._app, "theme", self._app.theme))
                self._app.theme = name
            case ["set", "graph", kind] if kind in tuple(Graph) and self._charts:
                self._try("graph", partial(self._draw_as, self._charts[0].graph))
                self._draw_as(Graph(kind))
            case ["set", "slow", ("on" | "off") as value]:
                self._try("slow", partial(self._app.set_slow, self._app.is_slow))
                self._app.set_slow(value == "on")
            case _:
                self.end_preview()

    def _try(self, what: str, take_back: Callable[[], None]) -> None:
        """What was tried in place of the same thing goes on to be taken back as it was at first."""
        if self._tried is None or self._tried[0] != what:
            self.end_preview()
            self._tried = what, take_back

    def end_preview(self) -> None:
        """As it was before."""
        if self._tried is not None:
            _, take_back = self._tried
            self._tried = None
            take_back()

    def _find(self, name: str) -> PromptCommand:
        if name in self.all:
            return self.all[name]
        fitting = [each for each in self.all if each.startswith(name)]
        if len(fitting) == 1:
            return self.all[fitting[0]]
        raise UsageError(f"There is no command ':{clean_line(name, 20)}'{self._nearest(name)}.")

    def _nearest(self, name: str) -> str:
        near = nearest(name, self.all)
        return f"; did you mean ':{near}'?" if near else ""

    def _opener(self, name: str) -> Callable[[list[str]], None]:
        return lambda _: self._app.open_screen(name)

    def _theme(self, words: list[str]) -> None:
        names = self._app.themes_by_name
        if len(words) != 1 or words[0] not in names:
            raise UsageError(f"Themes are {', '.join(sorted(names))}.")
        self._app.theme = words[0]

    def _set(self, words: list[str]) -> None:
        match words:
            case ["graph", kind] if kind in tuple(Graph):
                if self._charts:
                    self._draw_as(Graph(kind))
                else:
                    self._app.on_screen("overview", lambda _: self._draw_as(Graph(kind)))
            case ["slow", ("on" | "off") as value]:
                self._app.set_slow(value == "on")
            case _:
                raise UsageError("Say ':set graph block', 'braille' or 'tty', or ':set slow on' or 'off'.")

    @property
    def _charts(self) -> list[SpendChart]:
        return [chart for screen in self._app.screen_stack for chart in screen.query(SpendChart)]

    def _draw_as(self, kind: Graph) -> None:
        for chart in self._charts:
            chart.graph = kind
            chart.redraw()

    def _view(self, words: list[str]) -> None:
        match words:
            case ["save", name]:
                self._app.on_screen("requests", lambda screen: self._save_view(name, screen.list_pane.view))
            case ["forget", name]:
                self._app.saved_views.forget(name)
                self._app.notify(f"{clean_name(name, 30)} is forgotten.", severity="information", markup=False)
            case [name]:
                view = self._app.saved_views.view(name)
                self._app.on_screen("requests", lambda screen: screen.list_pane.show_view(view))
            case _:
                names = ", ".join(map(clean_line, self._app.saved_views.names)) or "none yet"
                raise UsageError(f"Say ':view NAME', ':view save NAME' or ':view forget NAME'. Saved are: {names}.")

    def _save_view(self, name: str, view: SavedView) -> None:
        self._app.saved_views.save(name, view)
        words = f"Saved: ':view {clean_name(name, 30)}' lists this again."
        self._app.notify(words, severity="information", markup=False)

    def _at(self, words: list[str]) -> None:
        self._app.time_machine.go(" ".join(words))

    def _reload(self, words: list[str]) -> None:
        self._app.reload()

    def _reprice(self, words: list[str]) -> None:
        from spendtop.tui.requests.repricing import Repricing

        screen = self._app.live_screen
        match words:
            case []:
                if screen:
                    Repricing(screen).ask()
            case ["undo", number] if number.isdecimal():
                if screen:
                    Repricing(screen).undo(int(number))
            case _:
                raise UsageError("Say ':reprice', or ':reprice undo ID' with a number of `spendtop reprice list`.")

    def _entity_opener(self, of: Dimension) -> Callable[[list[str]], None]:
        return lambda words: self._app.open_entities(of, " ".join(words) or None)

    def _by(self, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise UsageError(f"Say ':by user model': one or two of {', '.join(DIMENSIONS)}, prop.NAME.")
        self._app.break_down(*map(dimension, words))

    def _export(self, words: list[str]) -> None:
        if len(words) != 2 or words[0] not in ("csv", "jsonl"):
            raise UsageError("Say ':export csv PATH' or ':export jsonl PATH'.")
        kind, path = words
        self._app.on_screen("requests", lambda screen: screen.export(kind, path))


def palette_entries(app: CommandedFace, live: LiveScreen | None) -> Iterator[SystemCommand]:
    """The palette: every action that works now, every screen, every theme."""
    for name, entry in SCREENS.items():
        yield SystemCommand(f"Screen: {entry.title}", entry.help, partial(app.open_screen, name))
    for action, _ in live.offered() if live else ():
        yield SystemCommand(action.label.capitalize(), action.help, partial(app.run_key, action.call))
    for theme in app.themes_by_name.values():
        yield SystemCommand(f"Theme: {theme.name}", theme.description, partial(setattr, app, "theme", theme.name))


def _shared_start(words: list[str]) -> str:
    first, last = min(words), max(words)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]
