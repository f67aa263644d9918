"""Themes from TOML files: read, checked as a whole, and only then handed to Textual."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct
from textual.color import Color, ColorParseError
from textual.theme import Theme as TextualTheme

from spendtop.domain.errors import ConfigError, nearest
from spendtop.domain.untrusted import clean_line
from spendtop.tui.palette import BACKGROUND_ROLES, PLAIN, ROLES, Palette, palette_of

DEFAULT = "spendtop-dark"
_COLORS = (
    "primary",
    "secondary",
    "accent",
    "success",
    "warning",
    "error",
    "foreground",
    "background",
    "surface",
    "panel",
)
_TOP = ("name", "description", "dark", "ansi", "mono", "colors", "roles", "variables")
_ROLE_COLORS = {
    "text": "foreground",
    "strong": "foreground",
    "muted": "foreground",
    "faint": "foreground",
    "line": "panel",
    "focus": "primary",
    "title": "primary",
    "key": "accent",
    "money": "foreground",
    "plan": "secondary",
    "who": "foreground",
    "model": "foreground",
    "good": "success",
    "warn": "warning",
    "bad": "error",
    "unknown": "warning",
    "cached": "secondary",
    "test": "secondary",
    "bar": "primary",
    "rest": "panel",
    "chart": "primary",
    "peak": "accent",
    "header": "foreground",
    "tab": "primary",
    "cursor": "foreground",
    "mark": "accent",
    "found": "accent",
    "banner": "warning",
}
"""Which of the theme's colours a role takes that the file does not name."""


class ThemeError(ConfigError):
    """A theme file that cannot be used: it names the file, the key and what is valid."""


class Theme(Struct, frozen=True):
    """A theme for Textual together with the palette of our own pictures."""

    textual: TextualTheme
    palette: Palette
    description: str
    colorless: bool
    path: Path

    @property
    def name(self) -> str:
        """What `theme = ` in the configuration calls it."""
        return self.textual.name


def read_theme(path: Path) -> Theme:
    """The theme in one file. Raises ThemeError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ThemeError(f"{path}: cannot be read ({type(error).__name__}).") from None
    except tomllib.TOMLDecodeError as error:
        raise ThemeError(f"{path}: not TOML: {error}.") from None
    _Checked(path, values).check()
    colors = values["colors"]
    ansi = values.get("ansi", False)
    textual = TextualTheme(
        name=values.get("name", path.stem),
        dark=values.get("dark", True),
        ansi=ansi,
        variables={**_variables(colors, ansi, values.get("roles", {})), **values.get("variables", {})},
        **colors,
    )
    mono = values.get("mono", False)
    palette = PLAIN if mono else palette_of(_role_pairs(colors, values.get("roles", {})))
    return Theme(textual, palette, values.get("description", ""), mono, path)


def read_themes(folders: Iterable[Path]) -> tuple[dict[str, Theme], list[ThemeError]]:
    """All themes of these folders by name, a later folder's before an earlier one's, and what could not be used."""
    themes: dict[str, Theme] = {}
    failures: list[ThemeError] = []
    for folder in folders:
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
            try:
                theme = read_theme(path)
            except ThemeError as failure:
                failures.append(failure)
            else:
                themes[theme.name] = theme
    return themes, failures


def unknown_theme(name: str, known: Iterable[str]) -> str:
    """What to say of a name that no theme has, with the nearest that there is."""
    near = nearest(name, known)
    return f"No theme is called {clean_line(name)}" + (f", did you mean {near}?" if near else ".")


def shipped_themes() -> Path:
    """The folder of themes that come with the program: inside the package, or the checkout's `themes/`."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_themes"
    return packaged if packaged.is_dir() else package.parent.parent / "themes"


class _Checked:
    """One theme file against what a theme may hold."""

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self._path = path
        self._values = values

    def check(self) -> None:
        """Raises ThemeError at the first thing that is wrong."""
        self._names("", self._values, _TOP)
        for flag in ("dark", "ansi", "mono"):
            if not isinstance(self._values.get(flag, False), bool):
                self._fail(flag, "is true or false")
        for table, valid in (("colors", _COLORS), ("roles", ROLES), ("variables", None)):
            content = self._values.get(table, {})
            if not isinstance(content, dict):
                self._fail(table, "is a table of colours")
            if valid is not None:
                self._names(f"{table}.", content, valid)
        for name in _COLORS:
            if name not in self._values.get("colors", {}):
                self._fail(f"colors.{name}", "is missing")
        for name, value in self._values["colors"].items():
            self._color(f"colors.{name}", value)
        for name, value in self._values.get("roles", {}).items():
            self._role(name, value)

    def _role(self, name: str, value: object) -> None:
        pair = value if isinstance(value, list) else [value]
        if len(pair) > 2 or (len(pair) == 2 and name not in BACKGROUND_ROLES):
            self._fail(f"roles.{name}", f"is one colour; two, text and background, take {', '.join(BACKGROUND_ROLES)}")
        for color in pair:
            if color not in self._values["colors"]:
                self._color(f"roles.{name}", color)

    def _names(self, prefix: str, table: dict[str, Any], valid: tuple[str, ...]) -> None:
        for name in table:
            if name not in valid:
                near = nearest(name, valid)
                self._fail(prefix + name, f"is not known; did you mean '{near}'?" if near else "is not known")

    def _color(self, key: str, value: object) -> None:
        try:
            if not isinstance(value, str):
                raise ColorParseError("")
            Color.parse(value)
        except ColorParseError:
            self._fail(key, f"is not a colour: {value!r}; use '#rrggbb' or one of the terminal's, such as 'ansi_blue'")

    def _fail(self, key: str, problem: str) -> None:
        raise ThemeError(f"{self._path}: {key} {problem}.")


def _role_pairs(colors: dict[str, str], roles: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    pairs: dict[str, tuple[str, str | None]] = {}
    for role, default in _ROLE_COLORS.items():
        value = roles.get(role, default)
        pair = value if isinstance(value, list) else [value]
        foreground, *more = [str(colors.get(name, name)) for name in pair]
        background = more[0] if more else colors["panel"] if role in BACKGROUND_ROLES else None
        pairs[role] = (foreground, background)
    return pairs


def _variables(colors: dict[str, str], ansi: bool, roles: dict[str, Any]) -> dict[str, str]:
    """Names that Textual's own widgets look up."""
    accent, background, foreground = colors["accent"], colors["background"], colors["foreground"]
    variables = {
        "border": colors["panel"],
        "border-blurred": colors["panel"],
        "block-cursor-foreground": background if not ansi else "ansi_black",
        "block-cursor-background": accent,
        "input-cursor-background": foreground if not ansi else "ansi_white",
        "input-cursor-foreground": background if not ansi else "ansi_black",
        "input-cursor-text-style": "none",
        "input-selection-background": colors["primary"] + ("" if ansi else " 40%"),
        "footer-background": colors["surface"],
        "scrollbar": colors["panel"],
        "scrollbar-background": background,
    }
    if ansi:
        variables |= {
            "ansi-background": "ansi_black",
            "ansi-foreground": "ansi_white",
            "input-selection-foreground": "ansi_black",
            "screen-selection-background": "ansi_bright_blue",
            "screen-selection-foreground": "ansi_black",
        }
    return variables
