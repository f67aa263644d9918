"""Only differing cells are sent, and the terminal ends up with the same picture."""

from __future__ import annotations

import random

import pyte
import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from spendtop.tui.terminal import Terminal

PLAIN = Style(color="#d5dbe6", bgcolor="#11141a")
BOLD = Style(color="#f2f5fa", bgcolor="#11141a", bold=True)
LIT = Style(color="#ffffff", bgcolor="#2d4057")
STYLES = (PLAIN, BOLD, LIT, Style(dim=True), Style(reverse=True, bold=True), Style(underline=True), Style())


def update(*rows: list[tuple[str, Style]]) -> LayoutUpdate:
    """A whole picture of these rows."""
    strips = [Strip([Segment(text, style) for text, style in row]) for row in rows]
    width = max(strip.cell_length for strip in strips)
    return LayoutUpdate([[strip] for strip in strips], Region(0, 0, width, len(rows)))


def sent(terminal: Terminal, picture: LayoutUpdate) -> str:
    """What is sent for it."""
    text = terminal.render(picture, ColorSystem.TRUECOLOR)
    assert text is not None
    return text


def test_an_unchanged_picture_sends_nothing() -> None:
    terminal = Terminal()
    sent(terminal, update([("spendtop", BOLD), (" prod", PLAIN)]))
    assert sent(terminal, update([("spendtop", BOLD), (" prod", PLAIN)])) == ""


def test_a_ticking_clock_sends_a_few_characters() -> None:
    terminal = Terminal()
    sent(terminal, update([("today $41.82" + " " * 100 + "14:03:07 ", PLAIN)]))
    assert len(sent(terminal, update([("today $41.82" + " " * 100 + "14:03:08 ", PLAIN)]))) < 60


def test_after_forgetting_everything_is_sent_again() -> None:
    terminal = Terminal()
    first = sent(terminal, update([("spendtop", PLAIN)]))
    terminal.forget()
    assert sent(terminal, update([("spendtop", PLAIN)])) == first


def test_another_size_is_painted_whole() -> None:
    terminal = Terminal()
    sent(terminal, update([("spend", PLAIN)]))
    assert "spend" in sent(terminal, update([("spend  ", PLAIN)]))


def test_links_from_styles_are_not_sent() -> None:
    linked = Style(link="https://evil.example")
    assert "evil" not in sent(Terminal(), update([("click", linked)]))


@pytest.mark.parametrize("seed", range(20))
def test_a_terminal_shows_what_a_full_repaint_would_show(seed: int) -> None:
    chance = random.Random(seed)
    terminal, shown = Terminal(), pyte.Screen(30, 4)
    stream = pyte.Stream(shown)
    for _ in range(30):
        picture = update(*(_row(chance, 30) for _ in range(4)))
        stream.feed(sent(terminal, picture))
        whole = pyte.Screen(30, 4)
        pyte.Stream(whole).feed(sent(Terminal(), picture))
        assert shown.display == whole.display
        for y in range(4):
            for x in range(30):
                ours, theirs = shown.buffer[y][x], whole.buffer[y][x]
                assert (ours.data, ours.bg, ours.reverse) == (theirs.data, theirs.bg, theirs.reverse)
                if ours.data.strip():
                    assert (ours.fg, ours.bold, ours.underscore) == (theirs.fg, theirs.bold, theirs.underscore)


def _row(chance: random.Random, width: int) -> list[tuple[str, Style]]:
    pieces: list[tuple[str, Style]] = []
    room = width
    while room > 1:
        text = chance.choice(["abc", "  ", "日本", "x", "─│", "  $0.0075", "e\u0301"])
        cells = Strip([Segment(text)]).cell_length
        if cells > room:
            break
        pieces.append((text, chance.choice(STYLES)))
        room -= cells
    return [*pieces, (" " * room, PLAIN)]
