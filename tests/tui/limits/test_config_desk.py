"""Limits in their file: by the form, and in the user's editor."""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from spendtop.domain.money import Usd
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import applied, keep
from spendtop.tui.app import SpendtopApp
from spendtop.tui.limits.editor import edited, editor_command
from tests.tui.conftest import LIMITS, Sessions, Till, picture, said, typed, until
from tests.tui.limits.conftest import shown

TEXT = '# mine\n[[limit]]\nname = "daily"\nwindow = "day"\nusd = 50\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "spendtop.toml"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


@pytest.fixture
def face(session_over: Sessions, spent: Till, file: Path) -> SpendtopApp:
    """The face over the same limits, configured by a file."""
    return SpendtopApp(session_over(config_file=file, sections=SECTIONS))


def held(file: Path) -> str:
    return file.read_text()


def changed(file: Path) -> None:
    """By somebody else, meanwhile."""
    file.write_text(TEXT.replace("50", "60"))


async def test_a_limit_is_typed_checked_shown_tried_and_saved(face: SpendtopApp, file: Path, store: Store) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "n")
        await typed(pilot, "daily")
        await pilot.press("enter")
        await until(pilot, lambda: 'there is another limit "daily"' in picture(pilot))
        assert "! must be an amount such as 100" in picture(pilot)
        assert held(file) == TEXT
        await typed(pilot, " 2")
        await pilot.press("tab", "tab")
        await typed(pilot, "40")
        await pilot.press("enter")
        await until(pilot, lambda: 'name = "daily 2"' in picture(pilot))
        assert "usd = 40" in picture(pilot) and 'each = "user"' in picture(pilot)
        await pilot.press("b")
        await until(pilot, lambda: "Would have fired" in picture(pilot))
        await pilot.press("escape", "s")
        await until(pilot, lambda: held(file) != TEXT)
        with store.writing() as connection:
            before = applied(connection)
            assert before is not None
            written = replace(LIMITS[0], name="daily 2", amount=Usd.of(40), each=None)
            keep(connection, replace(before, limits=(*LIMITS, written)))
        await until(pilot, lambda: screen.row is not None and screen.row.limit.name == "daily 2")
    added = '\n[[limit]]\nname = "daily 2"\nwindow = "day"\nusd = 40\neach = "user"\n'
    assert held(file) == TEXT + added
    assert os.stat(file).st_mode & 0o777 == 0o640


async def test_a_file_that_changed_meanwhile_is_not_overwritten_and_both_are_shown(
    face: SpendtopApp, file: Path
) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "n")
        await typed(pilot, "other")
        await pilot.press("tab", "tab")
        await typed(pilot, "7")
        await pilot.press("enter")
        await until(pilot, lambda: "Save this limit?" in picture(pilot))
        changed(file)
        await pilot.press("s")
        await until(pilot, lambda: "the file has changed meanwhile" in picture(pilot))
        assert "-usd = 50" in picture(pilot) and "+usd = 60" in picture(pilot) and 'name = "other"' in picture(pilot)
        assert held(file) == TEXT.replace("50", "60")
        await pilot.press("escape", "enter")
        await until(pilot, lambda: "Save this limit?" in picture(pilot))
        await pilot.press("s")
        await until(pilot, lambda: "usd = 60" in held(file) and 'name = "other"' in held(file))


def an_editor(tmp_path: Path, script: str) -> str:
    """A program that does this to the last of its arguments."""
    path = tmp_path / "edit"
    path.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/place\nfor file; do :; done\n{script}\n')
    path.chmod(0o755)
    return str(path)


ENDS = {
    "true": "Nothing was changed. The limits in force go on.",
    "kill -9 $$": "was ended by SIGKILL. The limits in force go on.",
    "exit 3": "ended with code 3. The limits in force go on.",
    "sed -i s/day/dya/ $file": "Not applied: spendtop.toml:4: [limit] window: unknown window",
}


async def test_the_editor_opens_at_the_limit_and_what_came_of_it_is_said(
    face: SpendtopApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SpendtopApp, "suspend", lambda self: nullcontext())
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "G")
        for script, words in ENDS.items():
            monkeypatch.setenv("EDITOR", an_editor(tmp_path, script))
            await pilot.press("e")
            await until(pilot, partial(_is_said, pilot, words))
            assert held(tmp_path / "place") == "+2\n"


def _is_said(pilot: Any, words: str) -> bool:
    return words in said(pilot)


async def test_without_an_editor_or_a_file_it_says_what_to_do(
    face: SpendtopApp, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "e")
        assert "export EDITOR=nano" in said(pilot)
        os.unlink(file)
        await pilot.press("n")
        assert "`spendtop init` writes one" in said(pilot)


def test_each_editor_is_told_the_line_in_its_own_way() -> None:
    path = Path("/etc/my limits.toml")
    assert editor_command({"EDITOR": "vim -n"}, path, 7) == ["vim", "-n", "+7", str(path)]
    assert editor_command({"EDITOR": "vim", "VISUAL": "code"}, path, 7) == ["code", "--wait", "--goto", f"{path}:7"]
    assert editor_command({"EDITOR": "/usr/bin/hx"}, path, 7) == ["/usr/bin/hx", f"{path}:7"]
    assert editor_command({"EDITOR": "nano"}, path, None) == ["nano", str(path)]
    for environ in ({}, {"EDITOR": " "}, {"EDITOR": "'vim"}):
        assert editor_command(environ, path, 7) is None
    assert "cannot be started" in edited([os.devnull])
