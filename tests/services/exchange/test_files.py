"""Files that appear when they are complete."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from spendtop.domain.errors import CannotCreate, CannotWrite
from spendtop.services.exchange.files import create, replace

Write = Callable[[Path, Iterable[bytes]], None]
BOTH = pytest.mark.parametrize("write", [create, replace])


def breaking() -> Iterator[bytes]:
    yield b"half"
    raise OSError(28, "No space left on device")


@BOTH
def test_a_file_is_complete_and_private(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "out.csv", [b"a", b"b"])
    assert (tmp_path / "out.csv").read_bytes() == b"ab"
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_a_file_is_only_replaced_by_replace(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(CannotCreate, match="is there already"):
        create(path, [b"a"])
    assert path.read_text() == "mine"
    replace(path, [b"a"])
    assert path.read_text() == "a"


@BOTH
def test_a_symlink_or_folder_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    for name in ("link", "dangling", "folder"):
        with pytest.raises(CannotCreate):
            write(tmp_path / name, [b"a"])
    assert (tmp_path / "target").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@BOTH
def test_nothing_is_left_of_what_fails(write: Write, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotWrite, match="No space left"):
        write(tmp_path / "folder" / "out.csv", breaking())
    assert list((tmp_path / "folder").iterdir()) == []


@BOTH
def test_a_folder_that_is_missing_is_named(write: Write, tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="nowhere"):
        write(tmp_path / "nowhere" / "out.csv", [b"a"])
