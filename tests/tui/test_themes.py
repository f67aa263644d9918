"""Themes: every shipped one is valid, a broken one is named and leaves the old one in place."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from spendtop.tui.app import SpendtopApp
from spendtop.tui.themes import DEFAULT, ThemeError, read_theme, read_themes, shipped_themes
from tests.tui.conftest import Sessions, Till, opened, picture, until

SHIPPED = ("ansi-16", "colour-blind", "high-contrast", "mono", "spendtop-dark", "spendtop-light")


def test_the_shipped_themes_are_all_valid() -> None:
    themes, failures = read_themes([shipped_themes()])
    assert not failures
    assert sorted(themes) == sorted(SHIPPED)
    assert DEFAULT in themes


@pytest.mark.parametrize("name", ["spendtop-dark", "spendtop-light", "high-contrast", "colour-blind"])
def test_figures_and_states_stand_out_from_the_background(name: str) -> None:
    theme = read_theme(shipped_themes() / f"{name}.toml")
    background = Color.parse(theme.textual.background or "")
    palette = theme.palette
    for style in (palette.text, palette.money, palette.good, palette.warn, palette.bad, palette.unknown, palette.muted):
        assert style.color is not None and style.color.triplet is not None
        ink = Color(*style.color.triplet)
        assert _contrast(ink, background) >= 4.4


def test_the_colour_blind_theme_tells_good_from_bad_by_lightness_or_blue() -> None:
    palette = read_theme(shipped_themes() / "colour-blind.toml").palette
    good, bad = palette.good.color, palette.bad.color
    assert good is not None and good.triplet is not None and bad is not None and bad.triplet is not None
    assert abs(good.triplet.blue - bad.triplet.blue) > 80


def test_mono_has_no_colour_in_its_palette() -> None:
    theme = read_theme(shipped_themes() / "mono.toml")
    assert theme.colorless
    for name in theme.palette.__slots__:
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
        await until(pilot, lambda: "mine.toml" in picture(pilot))
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
        await until(pilot, lambda: "No theme is called solarised" in picture(pilot))
        assert app.theme == DEFAULT


def _contrast(one: Color, other: Color) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    parts = [part / 255 for part in color.rgb]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
