"""A log that is put aside while it is written to: bounded, private, and without a line lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spendtop.collector.process.log_file import earlier, opened, put_aside
from tests.waiting import DEADLINE

WRITER = """
import os, sys
from pathlib import Path
from spendtop.collector.process.log_file import LogFile, opened
path, name, lines, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
output = opened(path)
os.dup2(output, 1), os.dup2(output, 2)
log = LogFile(path, limit)
for number in range(lines):
    os.write(1 + number % 2, f"{name} {number}\\n".encode())
    log.look()
"""
"""Numbers its lines, and looks after each."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collector.log"


def kept(path: Path) -> str:
    before = earlier(path)
    return (before.read_text() if before.exists() else "") + path.read_text()


def test_what_several_write_is_kept_to_the_last_line_in_two_bounded_files(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, "2000", "4000"]) for name in ("ada", "bob")
    ]
    assert [writer.wait(DEADLINE) for writer in writers] == [0, 0]
    assert earlier(path).stat().st_size <= 4000 + 2 * len("ada 1999\n")
    assert path.stat().st_size <= 4000
    for file in (path, earlier(path)):
        assert file.stat().st_mode & 0o777 == 0o600
    lines = kept(path).splitlines()
    assert all(re.fullmatch(r"(ada|bob) \d+", line) for line in lines)
    for name in ("ada", "bob"):
        numbers = [int(line.split()[1]) for line in lines if line.startswith(name)]
        assert numbers == sorted(numbers)
        assert not numbers or numbers == list(range(numbers[0], 2000))


def test_a_line_written_between_two_looks_is_in_one_of_the_files(path: Path) -> None:
    log = opened(path)
    with os.fdopen(log, "wb", buffering=0) as written:
        written.write(b"before\n" * 10)
        put_aside(path, 10)
        written.write(b"after\n")
    assert kept(path) == "before\n" * 10 + "after\n"


def test_a_short_file_stays(path: Path) -> None:
    path.write_text("short\n")
    put_aside(path, 100)
    assert kept(path) == "short\n" and not earlier(path).exists()


def test_a_link_in_its_place_is_never_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("theirs")
    path.symlink_to(tmp_path / "other")
    with pytest.raises(OSError):
        opened(path)
    assert (tmp_path / "other").read_text() == "theirs"
