from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec
import pytest

from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.call_book import CallBook
from spendtop.sources.agents.files import document, found, stamp_at
from spendtop.sources.agents.opencode import OpencodeReader
from tests.sources.agents.homes import lay_out, read_file

DOCUMENT = msgspec.json.Decoder(dict[str, int])


def test_folders_that_lead_back_to_themselves_are_entered_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f.jsonl").write_text("{}")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    tally = Tally()
    assert list(found(tmp_path, tally)) == [tmp_path / "a" / "f.jsonl"]
    assert tally == {"folders that lead back to themselves": 1}
    assert list(found(tmp_path / "gone", tally)) == []


def test_a_folder_without_permission_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel answers anybody but root."""

    def shut(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("spendtop.sources.agents.files.os.scandir", shut)
    tally = Tally()
    assert list(found(tmp_path, tally)) == []
    assert tally == {"folders without permission": 1}


def test_a_pipe_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    pipe = tmp_path / "T-1.json"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no ordinary file"):
        document(pipe, DOCUMENT, Bookmark(), Tally())


def test_a_document_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file, bookmark, tally = tmp_path / "d.json", Bookmark(), Tally()
    file.write_text('{"a": ')
    assert document(file, DOCUMENT, bookmark, tally) is None
    assert not bookmark.is_current(stamp_at(file))
    file.write_text('{"a": 1}')
    assert document(file, DOCUMENT, bookmark, tally) == {"a": 1}
    assert bookmark.is_current(stamp_at(file))
    assert tally == {"documents that are no JSON": 1}


def test_a_database_changes_with_what_is_written_beside_it(tmp_path: Path) -> None:
    home = lay_out("opencode/database", tmp_path)
    file = home / ".local" / "share" / "opencode" / "opencode.db"
    before = stamp_at(file)
    with sqlite3.connect(file) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("UPDATE session SET title = 'other'")
        writer.commit()
        assert stamp_at(file) != before
        book = CallBook()
        read_file(OpencodeReader(), file.parent, file, book, Tally())
        assert len(list(book)) == 5
    writer.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"SQLite format 3\x00" + b"\xff" * 4000, "damaged databases"), (b"", "databases without a table of messages")],
)
def test_a_damaged_database_is_counted_and_looked_at_again(tmp_path: Path, content: bytes, reason: str) -> None:
    file, tally = tmp_path / "opencode.db", Tally()
    file.write_bytes(content)
    read_file(OpencodeReader(), tmp_path, file, CallBook(), tally)
    assert tally == {reason: 1}


def test_a_locked_database_is_read_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = lay_out("opencode/database", tmp_path)
    file = home / ".local" / "share" / "opencode" / "opencode.db"
    monkeypatch.setattr("spendtop.sources.agents.opencode.BUSY_SECONDS", 0)
    bookmark, tally, book = Bookmark(), Tally(), CallBook()
    with sqlite3.connect(file) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        read_file(OpencodeReader(), file.parent, file, book, tally, bookmark)
        assert (list(book), dict(tally)) == ([], {"databases in use": 1})
        assert not bookmark.is_current(stamp_at(file))
        writer.rollback()
    writer.close()
    read_file(OpencodeReader(), file.parent, file, book, tally, bookmark)
    assert len(list(book)) == 5
    assert bookmark.is_current(stamp_at(file))


def test_rows_that_came_since_are_read_alone(tmp_path: Path) -> None:
    home = lay_out("opencode/database", tmp_path)
    file = home / ".local" / "share" / "opencode" / "opencode.db"
    bookmark = Bookmark()
    read_file(OpencodeReader(), file.parent, file, CallBook(), Tally(), bookmark)
    assert bookmark.state == {"message": 10}
