"""An app that wears themes from files, and changes them while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from textual.app import App

from spendtop.tui.compat import CarefulApp
from spendtop.tui.palette import PLAIN, Palette
from spendtop.tui.themes import DEFAULT, Theme, ThemeError, read_themes, shipped_themes, unknown_theme

_LOOK_SECONDS = 0.25
"""Between two looks at the theme files: watching them without would take 3 MB for what hardly ever happens."""


class ThemedApp(CarefulApp):
    """Wears one of the themes in its folders."""

    def __init__(self, theme: str, folders: Sequence[Path], ascii_marks: bool) -> None:
        super().__init__(ascii_marks)
        self.themes_by_name: dict[str, Theme] = {}
        """All themes by name."""
        self.watching_themes = False
        """Whether a saved theme file is noticed."""
        self._folders = [shipped_themes(), *folders]
        self._wished = theme
        self._failures = self._load()
        self.theme = theme if theme in self.themes_by_name else DEFAULT

    @property
    def shown_theme(self) -> Theme:
        """The current theme with its palette."""
        return self.themes_by_name.get(self.theme) or self.themes_by_name[DEFAULT]

    @property
    def palette(self) -> Palette:
        """The styles to draw with: the theme's, or emphasis alone where there are no colours."""
        return PLAIN if self.colorless else self.shown_theme.palette

    def on_mount(self) -> None:
        """Say what was wrong with the theme that was asked for, or with a file."""
        self.theme_changed_signal.subscribe(self, lambda _: self._take_colors())
        self._take_colors()
        if self._wished not in self.themes_by_name:
            self.notify(unknown_theme(self._wished, self.themes_by_name), severity="warning", markup=False)
        self._complain(self._failures)

    def reload_themes(self) -> None:
        """Read the files again and show the current theme as it is now. A broken file leaves its old theme in place."""
        failures = self._load()
        self._take_colors()
        self.mutate_reactive(App.theme)
        self._complain(failures)

    async def watch_themes(self) -> None:
        """Reload once a file has changed and is left alone again, for as long as the app runs."""
        from spendtop.config.file_watch import snapshot

        worn = last = await asyncio.to_thread(snapshot, self._folders)
        self.watching_themes = True
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = await asyncio.to_thread(snapshot, self._folders)
            if now == last != worn:
                worn = now
                self.reload_themes()
            last = now

    def _load(self) -> list[ThemeError]:
        themes, failures = read_themes(self._folders)
        for name, theme in themes.items():
            self.themes_by_name[name] = theme
            self.register_theme(theme.textual)
        return failures

    def _take_colors(self) -> None:
        """A theme without colours also takes them from Textual's own widgets."""
        self.colorless = self.no_color or self.shown_theme.colorless

    def _complain(self, failures: Sequence[ThemeError]) -> None:
        """One message, however many files are broken."""
        if failures:
            more = f" {len(failures) - 1} more are broken." if len(failures) > 1 else ""
            self.notify(f"{failures[0]}{more}", title="Theme not used", severity="warning", markup=False)
