"""The guards around Textual: no control characters, no secrets in a crash, an exit code that tells."""

from __future__ import annotations

import logging

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from spendtop.domain.errors import ExitCode
from spendtop.tui.app import SpendtopApp
from spendtop.tui.compat import AsciiMarks, ColorLess, KeptStylesheet, PlainEmoji, SafeText
from tests.tui.conftest import Sessions, opened

BLACK = Color(0, 0, 0)


def test_uncleaned_text_is_cleaned_at_the_last_moment(caplog: pytest.LogCaptureFixture) -> None:
    (piece,) = SafeText().apply([Segment("a\x1b[31mb\u202e", Style(bold=True))], BLACK)
    assert piece.text == "a␛[31mb<U+202E>"
    assert "uncleaned text" in caplog.text


def test_clean_text_passes_unchanged() -> None:
    pieces = [Segment("søren 日本 $0.0075 …", Style(bold=True))]
    assert SafeText().apply(pieces, BLACK) is pieces


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("👩‍💻 ada |", "👩 ada |"),
        ("❤️ ok", "❤  ok"),
        ("👍🏽!", "👍!"),
        ("søren 日本", "søren 日本"),
    ],
)
def test_joined_emoji_become_their_first_one_in_the_same_cells(text: str, shown: str) -> None:
    (piece,) = PlainEmoji().apply([Segment(text, Style(bold=True))], BLACK)
    assert piece.text == shown
    assert cell_len(piece.text) == cell_len(text) and piece.style == Style(bold=True)


def test_colours_go_and_emphasis_stays() -> None:
    style = Style(color="red", bgcolor="blue", bold=True, reverse=True)
    (piece,) = ColorLess().apply([Segment("x", style)], BLACK)
    assert piece.style == Style(bold=True, reverse=True)


def test_marks_become_ascii_and_names_stay() -> None:
    (piece,) = AsciiMarks().apply([Segment("╭─ søren … ▌█", None)], BLACK)
    assert piece.text == "+- søren ~ |#"


async def test_a_crash_shows_no_locals_and_has_an_exit_code(
    session_over: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    app = SpendtopApp(session_over())

    def explode() -> None:
        api_key = "sk-very-secret"
        raise RuntimeError(f"failed after {len(api_key)} characters")

    with pytest.raises(RuntimeError), caplog.at_level(logging.CRITICAL):
        async with app.run_test() as pilot:
            await opened(pilot)
            app.call_later(explode)
            await pilot.pause()
    assert app.return_code == ExitCode.INTERNAL
    assert "sk-very-secret" not in caplog.text
    assert "RuntimeError" in caplog.text


def test_a_source_is_parsed_again_only_for_other_variables() -> None:
    sheet = KeptStylesheet(variables={"tint": "red"})
    sheet.add_source("Label { color: $tint; }", read_from=("labels", ""))
    sheet.parse()
    (parsed,) = sheet.rules
    sheet.set_variables({"tint": "red"})
    sheet.add_source("Input { height: 1; }", read_from=("inputs", ""))
    sheet.reparse()
    assert sheet.rules[0] is parsed and len(sheet.rules) == 2
    sheet.set_variables({"tint": "blue"})
    sheet.reparse()
    assert sheet.rules[0].styles.color == Color.parse("blue")


async def test_a_key_right_after_a_paint_waits_for_no_sixtieth_and_nothing_moves_by_itself(
    session_over: Sessions,
) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test() as pilot:
        await opened(pilot)
        assert app.screen._update_timer._interval == 1 / 250
        assert app.animation_level == "none"
