"""Copying: the first way that works here, and a sentence that says which."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from spendtop.tui.screens import clipboard
from spendtop.tui.screens.clipboard import copy, tab_separated
from tests.waiting import DEADLINE


@pytest.fixture
def tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `tmux` that keeps what it is given in a file; returns the file."""
    folder, taken = tmp_path / "bin", tmp_path / "taken"
    folder.mkdir()
    program = folder / "tmux"
    program.write_text(f'#!/bin/sh\n[ "$*" = "load-buffer -w -" ] || exit 1\n/bin/cat > {taken}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(clipboard, "_TMUX_SECONDS", DEADLINE)
    return taken


def test_within_tmux_its_buffer_is_loaded(tmux: Path, tmp_path: Path) -> None:
    sent: list[str] = []
    said = copy("x" * 1_200, {"TMUX": "/tmp/tmux"}, sent.append, tmp_path)
    assert said.startswith("copied 1.2 kB via tmux")
    assert tmux.read_text() == "x" * 1_200
    assert not sent


def test_elsewhere_osc_52_is_sent_and_a_file_kept(tmp_path: Path) -> None:
    sent: list[str] = []
    said = copy("grüezi", {}, sent.append, tmp_path / "state")
    assert sent == [f"\x1b]52;c;{base64.b64encode('grüezi'.encode()).decode()}\x07"]
    assert "terminal may refuse" in said
    path = tmp_path / "state" / "copied.txt"
    assert str(path) in said and path.read_text() == "grüezi"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_tmux_that_fails_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sent: list[str] = []
    assert "OSC 52" in copy("x", {"TMUX": "/tmp/tmux"}, sent.append, tmp_path)
    assert sent


def test_gnu_screen_gets_it_in_pieces(tmp_path: Path) -> None:
    sent: list[str] = []
    copy("x" * 300, {"STY": "1.pts"}, sent.append, tmp_path)
    (sequence,) = sent
    pieces = [piece.removeprefix("\x1bP") for piece in sequence.split("\x1b\\") if piece]
    assert all(len(piece) <= 76 for piece in pieces)
    assert "".join(pieces).startswith("\x1b]52;c;")


def test_what_is_too_long_for_a_terminal_goes_to_a_file(tmp_path: Path) -> None:
    sent: list[str] = []
    said = copy("x" * 100_000, {}, sent.append, tmp_path)
    assert not sent
    assert "too long" in said and str(tmp_path / "copied.txt") in said


def test_a_table_is_lines_of_cells_that_move_no_terminal_and_no_column() -> None:
    rows: list[list[object]] = [["a\tb", None, 0], ["\x1b[2J", ["x", "y"], 1.5]]
    lines = tab_separated(("one", "two", "three"), rows).splitlines()
    assert [len(line.split("\t")) for line in lines] == [3, 3, 3]
    assert lines[2].endswith("x, y\t1.5") and "\x1b" not in lines[2]
