"""Themes: every shipped one is valid, a broken one is named and leaves the old one in place."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.style import Style

from spendtop.tui.app import SpendtopApp
from spendtop.tui.palette import ROLES
from spendtop.tui.themes import DEFAULT, ThemeError, read_theme, read_themes, shipped_themes
from tests.tui.conftest import Sessions, Till, opened, picture, said, until

SHIPPED = (
    *("ansi-16", "catppuccin-mocha", "colour-blind", "dracula", "gruvbox-dark", "high-contrast", "mono", "nord"),
    *("solarized-light", "spendtop-dark", "spendtop-light", "tokyo-night"),
)
OF_THE_TERMINAL = ("ansi-16", "mono")
READ = (
    *("text", "strong", "muted", "title", "key", "money", "who", "model"),
    *("good", "warn", "bad", "unknown", "cached", "test"),
)
"""Roles of words that have to be read."""
ON_HEADER = ("text", "muted", "money", "good", "warn", "bad", "unknown", "title")
ON_THEIR_OWN = ("header", "tab", "cursor", "found", "banner")
SEEN = ("faint", "focus", "bar", "chart", "peak", "mark")
"""Roles of what has to be seen alone."""


def test_the_shipped_themes_are_all_valid() -> None:
    themes, failures = read_themes([shipped_themes()])
    assert not failures
    assert sorted(themes) == sorted(SHIPPED)
    assert DEFAULT in themes


@pytest.mark.parametrize("colors", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
@pytest.mark.parametrize("name", [name for name in SHIPPED if name not in OF_THE_TERMINAL])
def test_every_role_stands_out_from_what_it_lies_on(name: str, colors: ColorSystem) -> None:
    theme = read_theme(shipped_themes() / f"{name}.toml")
    background, roles = RichColor.parse(theme.textual.background or ""), theme.palette
    header = ground(roles.header)
    pairs = [(role, ink(getattr(roles, role)), background, 4.4) for role in READ]
    pairs += [(role, ink(getattr(roles, role)), background, 2.9) for role in SEEN]
    pairs += [(f"{role} in the header", ink(getattr(roles, role)), header, 4.2) for role in ON_HEADER]
    pairs += [(role, ink(getattr(roles, role)), ground(getattr(roles, role)), 4.4) for role in ON_THEIR_OWN]
    allowance = 1 if colors is ColorSystem.TRUECOLOR else 0.85
    found = {role: (contrast(front, behind, colors), least * allowance) for role, front, behind, least in pairs}
    weak = {role: ratio for role, (ratio, least) in found.items() if ratio < least}
    assert not weak


def test_with_the_terminals_own_colours_the_header_lies_on_the_terminals_background() -> None:
    """What a terminal shows for `white` and for its own text may be the same."""
    roles = read_theme(shipped_themes() / "ansi-16.toml").palette
    assert roles.header.bgcolor is None or roles.header.bgcolor.is_default


def test_the_colour_blind_theme_tells_good_from_bad_by_lightness_or_blue() -> None:
    palette = read_theme(shipped_themes() / "colour-blind.toml").palette
    good, bad = palette.good.color, palette.bad.color
    assert good is not None and good.triplet is not None and bad is not None and bad.triplet is not None
    assert abs(good.triplet.blue - bad.triplet.blue) > 80


def test_mono_has_no_colour_in_its_palette() -> None:
    theme = read_theme(shipped_themes() / "mono.toml")
    assert theme.colorless
    for name in ROLES:
        style = getattr(theme.palette, name)
        assert style.color is None and style.bgcolor is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("primary =", "primray ="), "colors.primray is not known; did you mean 'primary'?"),
        (('"#6cb6e8"', '"blurple"'), "colors.primary is not a colour: 'blurple'"),
        (("[roles]", "[rolls]"), "rolls is not known; did you mean 'roles'?"),
        (("dark = true", "dark = 3"), "dark is true or false"),
        (('error = "#f0716c"\n', ""), "colors.error is missing"),
        (('money = "#f2f5fa"', 'money = ["#f2f5fa", "#000000"]'), "roles.money is one colour"),
        (("[colors]", "[colors"), "not TOML"),
    ],
)
def test_a_broken_theme_names_file_and_key(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    text = (shipped_themes() / "spendtop-dark.toml").read_text()
    assert change[0] in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(*change, 1))
    with pytest.raises(ThemeError) as raised:
        read_theme(path)
    assert str(path) in str(raised.value)
    assert problem in str(raised.value)


async def test_a_saved_theme_is_worn_at_once_and_a_broken_one_is_named_once(
    session_over: Sessions, filled: Till, tmp_path: Path
) -> None:
    folder = tmp_path / "themes"
    folder.mkdir()
    source = (shipped_themes() / "spendtop-dark.toml").read_text()
    mine = source.replace('name = "spendtop-dark"', 'name = "mine"')
    (folder / "mine.toml").write_text(mine)
    app = SpendtopApp(session_over(theme="mine", theme_folders=(folder,)))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: app.watching_themes)
        (folder / "mine.toml").write_text(mine.replace('primary = "#6cb6e8"', 'primary = "#ff0000"'))
        await until(pilot, lambda: app.current_theme.primary == "#ff0000")
        (folder / "mine.toml").write_text(mine.replace('"#ff0000"', '"red-ish"').replace("#6cb6e8", "red-ish"))
        await until(pilot, lambda: any("mine.toml" in each.message for each in app._notifications))
        assert app.current_theme.primary == "#ff0000"


async def test_every_theme_can_be_worn(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for name in SHIPPED:
            app.theme = name
            await pilot.pause()
            assert "LIVE" in picture(pilot)


async def test_an_unknown_theme_falls_back_and_says_so(session_over: Sessions) -> None:
    app = SpendtopApp(session_over(theme="solarised"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "No theme is called solarised" in said(pilot))
        assert app.theme == DEFAULT


def ink(style: Style) -> RichColor:
    assert style.color is not None
    return style.color


def ground(style: Style) -> RichColor:
    assert style.bgcolor is not None
    return style.bgcolor


def contrast(one: RichColor, other: RichColor, colors: ColorSystem) -> float:
    """As WCAG 2 defines it, on a terminal that shows so many colours."""
    darker, lighter = sorted(_luminance(color.downgrade(colors)) for color in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: RichColor) -> float:
    parts = [part / 255 for part in color.get_truecolor()]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
