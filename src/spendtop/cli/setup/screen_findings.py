"""What a check finds about the screens: the theme and the keys that somebody chose."""

from __future__ import annotations

from collections.abc import Iterator

from spendtop.cli.setup.finding import Finding, FindingState
from spendtop.config.paths import theme_folder
from spendtop.config.settings import UiSettings
from spendtop.domain.counted import counted
from spendtop.domain.untrusted import clean_line


def of_screens(ui: UiSettings) -> Iterator[Finding]:
    """Nothing where all is as it comes."""
    if ui.theme != UiSettings().theme:
        yield from _theme(ui.theme)
    if ui.keymap:
        yield from _keymap(ui.keymap)


def _theme(name: str) -> Iterator[Finding]:
    from spendtop.tui.themes import read_themes, shipped_themes, unknown_theme

    themes, broken = read_themes((shipped_themes(), theme_folder()))
    for failure in broken:
        yield Finding("theme", FindingState.WARNING, clean_line(str(failure)), "correct the file")
    if name in themes:
        yield Finding("theme", FindingState.OK, clean_line(name))
    else:
        fix = f"set theme under [ui] to one of {', '.join(sorted(map(clean_line, themes)))}"
        yield Finding("theme", FindingState.WARNING, unknown_theme(name, themes).rstrip("."), fix)


def _keymap(keymap: dict[str, str]) -> Iterator[Finding]:
    from spendtop.tui.keymap import clashes, unknown_ids

    unknown, taken = unknown_ids(keymap), [*clashes(keymap)]
    if unknown:
        yield Finding("keymap", FindingState.WARNING, clean_line(unknown), "correct the name under [ui.keymap]")
    for clash in taken:
        yield Finding("keymap", FindingState.WARNING, clean_line(clash), "give one of them another key")
    if not unknown and not taken:
        yield Finding("keymap", FindingState.OK, counted(len(keymap), "own key"))
