"""Every case of `tests/fixtures/coding_agents.json`, and what may happen to files while nothing happens to calls."""

from __future__ import annotations

import shutil
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.call_book import CallBook
from tests.sources.agents.homes import assert_calls, lay_out, read, read_file, readers, with_files

CASES = [name for name in with_files() if not name.startswith("join/")]
LEFT_OUT = {
    "claude/streaming": {"malformed lines": 1, "answers the agent made up itself": 1},
    "codex/orphans": {"calls inherited from another thread": 6},
    "codex/resets": {"totals that were emptied": 1},
    "copilot/file_exporter": {"sums of calls": 1},
    "opencode/database": {"answers without usage": 1},
}


@pytest.mark.parametrize("name", CASES)
def test_a_home_has_these_calls(name: str, tmp_path: Path) -> None:
    tally = Tally()
    assert_calls(read(lay_out(name, tmp_path), tally=tally), name)
    assert {reason: tally[reason] for reason in LEFT_OUT.get(name, {})} == LEFT_OUT.get(name, {})


@pytest.mark.parametrize("name", CASES)
def test_files_may_be_read_in_any_order(name: str, tmp_path: Path) -> None:
    home = lay_out(name, tmp_path)
    files = [
        (reader, root, file)
        for reader in readers()
        for root in reader.roots(home, {})
        for file in reader.files(root, Tally())
    ]
    for order in islice(permutations(files), 24):
        book = CallBook()
        for reader, root, file in order:
            read_file(reader, root, file, book, Tally())
        assert_calls(book, name)


@pytest.mark.parametrize("name", CASES)
def test_a_copy_of_a_home_and_a_second_look_add_nothing(name: str, tmp_path: Path) -> None:
    home = lay_out(name, tmp_path / "one")
    copy = Path(shutil.copytree(home, tmp_path / "two"))
    assert_calls(read(home, copy, home), name)
    shutil.move(home, tmp_path / "three")
    assert_calls(read(tmp_path / "three", book=read(copy)), name)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("codex/")])
def test_rollouts_that_are_archived_and_compressed_are_the_same_calls(name: str, tmp_path: Path) -> None:
    home = lay_out(name, tmp_path)
    before = read(home)
    archive = home / ".codex" / "archived_sessions"
    archive.mkdir(exist_ok=True)
    for file in [*(home / ".codex" / "sessions").rglob("*.jsonl")]:
        packed = archive / f"{file.name}.zst"
        packed.write_bytes(zstandard.compress(file.read_bytes(), 3))
        file.unlink()
        (archive / file.name).unlink(missing_ok=True)
    assert_calls(read(home), name)
    assert_calls(read(home, book=before), name)


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_grows_line_by_line_is_read_on_with_what_was_kept(name: str, tmp_path: Path) -> None:
    """A line may be seen half, and the bookmark goes to disk and back between any two lines."""
    home = lay_out(name, tmp_path)
    book = CallBook()
    for reader in readers():
        for root in reader.roots(home, {}):
            for file in sorted(reader.files(root, Tally())):
                if file.suffix != ".jsonl":
                    read_file(reader, root, file, book, Tally())
                    continue
                whole, bookmark = file.read_bytes(), Bookmark()
                file.write_bytes(b"")
                for line in whole.splitlines(keepends=True):
                    for part in (line[: len(line) // 2], line[len(line) // 2 :]):
                        with file.open("ab") as growing:
                            growing.write(part)
                        read_file(reader, root, file, book, Tally(), bookmark)
                        bookmark = msgspec.json.decode(msgspec.json.encode(bookmark), type=Bookmark)
    assert_calls(book, name)


@pytest.mark.parametrize("name", CASES)
def test_files_that_were_cut_and_are_whole_again_add_nothing(name: str, tmp_path: Path) -> None:
    home = lay_out(name, tmp_path)
    whole = {file: file.read_bytes() for file in home.rglob("*.jsonl")}
    for cut in (0.3, 0.5, 0.7, 0.9):
        for file, content in whole.items():
            file.write_bytes(content[: int(len(content) * cut)])
        book = read(home)
        for file, content in whole.items():
            file.write_bytes(content)
        assert_calls(read(home, book=book), name)


def test_what_an_agent_deletes_stays_and_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    book = CallBook()
    for stage in ("stage1", "stage2", "stage3"):
        home = lay_out("claude/growing", tmp_path / stage, stage)
        read(home, book=book)
        assert_calls(book, "claude/growing", stage if stage == "stage1" else "")


def test_credentials_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = lay_out("claude/streaming", tmp_path)
    lay_out("codex/archived", tmp_path)
    secrets = [home / ".claude" / ".credentials.json", home / ".codex" / "auth.json", home / ".gemini" / "oauth.json"]
    for secret in secrets:
        secret.parent.mkdir(exist_ok=True)
        secret.write_text("{}")
    files: list[Any] = [
        file for reader in readers() for root in reader.roots(home, {}) for file in reader.files(root, Tally())
    ]
    assert files
    assert not set(files) & set(secrets)
