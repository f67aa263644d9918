from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from spendtop.sources.agents import lines as module
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.files import stamp_at
from spendtop.sources.agents.lines import LONGEST_LINE, lines


def read(file: Path, bookmark: Bookmark, tally: Tally | None = None) -> list[bytes]:
    return list(lines(file, lambda line: b'"n"' in line, bookmark, Tally() if tally is None else tally))


def line(number: int) -> bytes:
    return b'{"n": %d}\n' % number


def test_lines_are_given_once_while_a_file_grows(tmp_path: Path) -> None:
    file, bookmark = tmp_path / "a.jsonl", Bookmark()
    file.write_bytes(line(1) + b'{"m": 1}\n' + line(2) + b'{"n"')
    assert read(file, bookmark) == [b'{"n": 1}', b'{"n": 2}']
    assert read(file, bookmark) == []
    with file.open("ab") as growing:
        growing.write(b": 3}\n")
    assert not bookmark.is_current(stamp_at(file))
    assert read(file, bookmark) == [b'{"n": 3}']
    assert bookmark.is_current(stamp_at(file))


def test_a_file_that_is_another_one_is_read_from_its_beginning(tmp_path: Path) -> None:
    file, bookmark = tmp_path / "a.jsonl", Bookmark()
    file.write_bytes(line(1) + line(2))
    read(file, bookmark)
    file.write_bytes(line(7) + line(8) + line(9))
    assert read(file, bookmark) == [b'{"n": 7}', b'{"n": 8}', b'{"n": 9}']
    file.write_bytes(line(7))
    assert read(file, bookmark) == [b'{"n": 7}']
    other = tmp_path / "b.jsonl"
    other.write_bytes(line(7) + line(4))
    other.replace(file)
    assert read(file, bookmark) == [b'{"n": 7}', b'{"n": 4}']


def test_a_reading_that_ends_between_two_lines_goes_on_there(tmp_path: Path) -> None:
    file, bookmark = tmp_path / "a.jsonl", Bookmark()
    file.write_bytes(line(1) + line(2) + line(3))
    reading = lines(file, lambda _: True, bookmark, Tally())
    assert [next(reading), next(reading)] == [b'{"n": 1}', b'{"n": 2}']
    assert not bookmark.is_current(stamp_at(file))
    assert read(file, bookmark) == [b'{"n": 3}']


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.zst"])
def test_a_line_that_is_too_long_is_skipped_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    monkeypatch.setattr(module, "CHUNK", 100)
    assert LONGEST_LINE > 1000
    content = line(1) + b'{"n": "' + b"x" * 5000 + b'"}\n' + b'{"m": "' + b"x" * 5000 + b'"}\n' + line(2)
    file, bookmark, tally = tmp_path / f"a.{suffix}", Bookmark(), Tally()
    file.write_bytes(zstandard.compress(content) if suffix.endswith("zst") else content)
    assert read(file, bookmark, tally) == [b'{"n": 1}', b'{"n": 2}']
    assert tally == {"lines too long": 1}
    assert bookmark.offset == len(content)


def test_torn_lines_and_damaged_files_are_counted(tmp_path: Path) -> None:
    file, packed, tally = tmp_path / "a.jsonl", tmp_path / "b.jsonl.zst", Tally()
    file.write_bytes(line(1) + b'{"n": 2, "text": "abc\n\n' + line(3))
    packed.write_bytes(zstandard.compress(line(4))[:6] + b"\xff" * 20)
    assert read(file, Bookmark(), tally) == [b'{"n": 1}', b'{"n": 3}']
    assert read(packed, Bookmark(), tally) == []
    assert tally == {"malformed lines": 1, "damaged compressed files": 1}
    with pytest.raises(OSError, match="gone"):
        read(tmp_path / "gone", Bookmark())
