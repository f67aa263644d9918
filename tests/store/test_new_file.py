"""A file is under its name when it is complete, or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from spendtop.domain.errors import CannotCreate, CannotWrite
from spendtop.store.new_file import file_in_place_of, new_file

Put = Callable[[Path], AbstractContextManager[Path]]
BOTH = pytest.mark.parametrize("put", [new_file, file_in_place_of])
_WRITER = """
import sys
from pathlib import Path
from spendtop.store.new_file import new_file
with new_file(Path(sys.argv[1])) as part:
    part.write_text("half")
    Path(f"{part}-wal").write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty one."""
    empty = tmp_path / "folder"
    empty.mkdir()
    return empty


@BOTH
def test_it_appears_at_the_end_closed_to_others_and_leaves_nothing_else(put: Put, folder: Path) -> None:
    path = folder / "file"
    with put(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(folder) == ["file"]


@BOTH
def test_of_what_fails_nothing_is_left(put: Put, folder: Path) -> None:
    with pytest.raises(CannotWrite, match="No space left"), put(folder / "file") as part:
        part.write_text("half")
        raise OSError(28, "No space left on device")
    assert os.listdir(folder) == []


def test_one_that_appeared_meanwhile_stays(folder: Path) -> None:
    path = folder / "file"
    with pytest.raises(CannotCreate, match="is there already"), new_file(path) as part:
        part.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert os.listdir(folder) == ["file"]


def test_two_names_for_one_file_are_not_needed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_paths: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    with new_file(folder / "file") as part:
        part.write_text("whole")
    assert os.listdir(folder) == ["file"]
    with pytest.raises(CannotCreate, match="is there already"), new_file(folder / "other"):
        (folder / "other").touch()


@BOTH
def test_what_a_killed_writer_left_is_not_in_the_way(put: Put, folder: Path) -> None:
    path = folder / "file"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    with pytest.raises(CannotCreate, match="being written by another process"), put(path):
        pass
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert sorted(os.listdir(folder)) == [".file.part", ".file.part-wal"]
    with put(path) as part:
        assert part.read_text() == ""
        part.write_text("whole")
    assert path.read_text() == "whole"
    assert os.listdir(folder) == ["file"]


@BOTH
def test_a_part_that_leads_elsewhere_is_not_followed(put: Put, folder: Path) -> None:
    (folder / "target").write_text("mine")
    (folder / ".file.part").symlink_to("target")
    with pytest.raises(CannotCreate), put(folder / "file"):
        pass
    assert (folder / "target").read_text() == "mine"
