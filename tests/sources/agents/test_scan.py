from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from spendtop.domain.agents.calls import AgentCall
from spendtop.sources.agents import lines as agent_lines
from spendtop.sources.agents.bookmark import Bookmark
from spendtop.sources.agents.scan import PART, AgentRoot, RootState, Scan, roots_of
from spendtop.sources.registry import READERS
from spendtop.sources.scan_process import DECODER, ENCODER, look_through
from tests.sources.agents.homes import lay_out
from tests.sources.agents.test_claude_code import line


def scan_of(home: Path, bookmarks: dict[str, Bookmark] | None = None) -> Scan:
    readers = {name: reader() for name, reader in READERS.agents.items()}
    return Scan(readers, roots_of(readers, {name: [home] for name in readers}, {}), bookmarks or {})


def read(scan: Scan) -> tuple[list[AgentCall], dict[str, Bookmark]]:
    """What a look finds, as it comes out of the process, and how far all files are read then."""
    calls: list[AgentCall] = []
    bookmarks: dict[str, Bookmark] = {}
    for news in look_through(scan, scan.changed()):
        heard = DECODER.decode(ENCODER.encode(news))
        for part in heard.reads:
            calls += part.calls
            if part.bookmark is not None:
                bookmarks[part.path] = msgspec.convert(part.bookmark, Bookmark)
    return calls, bookmarks


def transcript(home: Path, name: str, *lines: str) -> Path:
    file = home / ".claude" / "projects" / "p" / f"{name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{each}\n" for each in lines))
    return file


def test_a_second_start_looks_into_nothing_that_has_not_changed(tmp_path: Path) -> None:
    for case in ("claude/streaming", "codex/usage_records", "gemini/sessions", "opencode/database"):
        lay_out(case, tmp_path)
    calls, bookmarks = read(scan_of(tmp_path))
    assert len(calls) >= 24
    again = scan_of(tmp_path, bookmarks)
    assert again.changed() == []
    assert read(again) == ([], {})


def test_the_newest_file_is_read_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        os.utime(transcript(tmp_path, name, line(message_id=name)), (1_790_000_000 - age,) * 2)
    assert [call.key for call in read(scan_of(tmp_path))[0]] == ["new", "older", "oldest"]


def test_only_what_is_named_is_looked_at_until_something_unknown_is(tmp_path: Path) -> None:
    file, other = transcript(tmp_path, "a", line()), transcript(tmp_path, "b", line(message_id="msg_b"))
    scan = scan_of(tmp_path)
    read(scan)
    for each in (file, other):
        with each.open("a") as growing:
            growing.write(line(message_id=f"new {each.stem}") + "\n")
    assert [Path(each.path) for each in scan.changed_among([str(file)])] == [file]
    third = transcript(tmp_path, "c", line(message_id="msg_c"))
    assert {Path(each.path) for each in scan.changed_among([str(third)])} == {file, other, third}


def test_a_long_history_comes_in_parts(tmp_path: Path) -> None:
    transcript(tmp_path, "a", *(line(message_id=f"msg_{number}") for number in range(4000)))
    scan = scan_of(tmp_path)
    parts = [part for news in look_through(scan, scan.changed()) for part in news.reads]
    assert len({call.key for part in parts for call in part.calls}) == 4000
    assert max(len(part.calls) for part in parts) == PART
    assert [part.bookmark["offset"] for part in parts if part.bookmark is not None][-1] > 0


def test_small_files_come_together(tmp_path: Path) -> None:
    for number in range(120):
        transcript(tmp_path, str(number), line(message_id=f"msg_{number}"))
    scan = scan_of(tmp_path)
    assert [len(news.reads) for news in look_through(scan, scan.changed())] == [0, 50, 50, 20]


def test_what_cannot_be_read_is_counted_once_and_said(tmp_path: Path) -> None:
    file = transcript(tmp_path, "a", line(), "torn")
    (file.parent / "pipe.jsonl").symlink_to("/dev/null")
    os.mkfifo(file.with_name("b.jsonl"))
    chats = tmp_path / ".gemini" / "tmp" / "x" / "chats"
    chats.mkdir(parents=True)
    (chats / "session-1.json").write_text("{half")
    scan = scan_of(tmp_path)
    states: dict[AgentRoot, RootState] = {}
    for _ in range(3):
        for news in look_through(scan, scan.changed()):
            states |= {each.root: each for each in news.states or () if each.left_out}
    left_out = {root.agent: state.left_out for root, state in states.items()}
    assert left_out == {"claude-code": {"malformed lines": 1}, "gemini-cli": {"documents that are no JSON": 1}}


def test_a_file_that_may_be_read_later_is_read_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript(tmp_path, "a", line())

    def refuse(path: Path) -> None:
        raise PermissionError

    scan = scan_of(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(agent_lines, "opened", refuse)
        for _ in range(2):
            assert read(scan) == ([], {})
            assert [each.missed for each in scan.states([])] == [{"files that cannot be read": 1}]
    assert [call.key for call in read(scan)[0]] == ["msg_1"]
    assert [each.missed for each in scan.states([])] == [{}]
    assert read(scan) == ([], {})


def test_one_folder_by_two_names_is_one(tmp_path: Path) -> None:
    (tmp_path / "real" / ".claude").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    readers = {name: reader() for name, reader in READERS.agents.items()}
    homes = {"claude-code": [tmp_path / "real", tmp_path / "linked"]}
    assert roots_of(readers, homes, {}) == [AgentRoot("claude-code", str(tmp_path / "real" / ".claude"))]
