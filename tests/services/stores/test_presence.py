from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.errors import AlreadyRunning, CannotCreate, CannotWrite, ExitCode
from spendtop.services.stores.presence import (
    CollectorState,
    RunningCollector,
    announce,
    counted_as_viewer,
    file_beside,
    hold_lock,
    process_start,
    running_collector,
    viewers,
    write_atomically,
)

ROOT = Path(__file__).parents[3]
_HOLDS = """
import os, sys
from pathlib import Path
from spendtop.services.stores.presence import *

me = RunningCollector(pid=os.getpid(), state=CollectorState.READY, url="http://127.0.0.1:8000", since=1,
            started_by="service", process_started=process_start(os.getpid()))
with hold_lock(Path(sys.argv[1]), Path(sys.argv[2])), counted_as_viewer(Path(sys.argv[3]), "ann pts/1"):
    announce(Path(sys.argv[2]), me)
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the store in this folder and watches it."""
    command = [sys.executable, "-c", _HOLDS, *map(str, (folder / "lock", folder / "holder", folder / "viewers"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def me(**changes: object) -> RunningCollector:
    values: dict[str, object] = {
        "pid": os.getpid(),
        "state": CollectorState.READY,
        "url": "http://127.0.0.1:8000",
        "started_by": "service",
        "since": 1,
        "process_started": process_start(os.getpid()),
    }
    return RunningCollector(**{**values, **changes})  # type: ignore[arg-type]


def test_a_second_process_is_told_who_holds_the_store_and_what_to_do(tmp_path: Path) -> None:
    lock = hold_lock(tmp_path / "lock", tmp_path / "holder")
    with another(tmp_path) as process, pytest.raises(AlreadyRunning) as refusal, lock:
        pass
    assert refusal.value.exit_code == ExitCode.ALREADY_RUNNING
    for words in (f"process {process.pid}", "http://127.0.0.1:8000", "spendtop attach", "spendtop stop"):
        assert words in str(refusal.value)


def test_a_killed_holder_frees_the_store_and_holds_it_no_more(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        said = running_collector(tmp_path / "holder")
        assert said is not None
        assert (said.pid, said.state) == (process.pid, CollectorState.READY)
        assert viewers(tmp_path / "viewers") == ("ann pts/1",)
        process.kill()
        process.wait()
        assert running_collector(tmp_path / "holder") is None
        assert viewers(tmp_path / "viewers") == ()
        with hold_lock(tmp_path / "lock", tmp_path / "holder"):
            pass


def test_a_lock_can_be_taken_again_and_again(tmp_path: Path) -> None:
    for _ in range(3):
        with hold_lock(tmp_path / "lock", tmp_path / "holder"):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_a_lock_that_is_a_link_or_in_no_folder_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    for lock in (tmp_path / "lock", tmp_path / "no" / "lock"):
        with pytest.raises(CannotCreate), hold_lock(lock, tmp_path / "holder"):
            pass
    assert not (tmp_path / "elsewhere").exists()


def test_what_the_holder_says_is_read_back(tmp_path: Path) -> None:
    announce(tmp_path / "holder", me(state=CollectorState.STOPPING, version="1"))
    assert running_collector(tmp_path / "holder") == me(state=CollectorState.STOPPING, version="1")


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("process_started", [0, 1])
def test_a_dead_process_holds_nothing_whatever_the_file_says(tmp_path: Path, process_started: int) -> None:
    announce(tmp_path / "holder", me(pid=dead_process(), process_started=process_started))
    assert running_collector(tmp_path / "holder") is None


def test_another_process_with_the_same_number_is_not_the_holder(tmp_path: Path) -> None:
    announce(tmp_path / "holder", me(process_started=process_start(os.getpid()) - 1))
    assert running_collector(tmp_path / "holder") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"pid": "x"}', '{"pid": 1, "state": "odd"}'])
def test_a_file_that_says_nothing_sensible_names_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "holder").write_text(content)
    assert running_collector(tmp_path / "holder") is None


def test_viewers_are_named_but_for_oneself_and_with_nothing_that_moves_a_terminal(tmp_path: Path) -> None:
    with counted_as_viewer(tmp_path / "viewers", "ann\x1b[2J pts/1"):
        [name] = viewers(tmp_path / "viewers")
        assert "ann" in name and "\x1b" not in name
        assert viewers(tmp_path / "viewers", besides=os.getpid()) == ()
        [file] = (tmp_path / "viewers").iterdir()
        file.write_text("")
        assert viewers(tmp_path / "viewers") == ("somebody",)


def test_viewers_are_counted_while_they_live(tmp_path: Path) -> None:
    folder = tmp_path / "viewers"
    assert viewers(folder) == ()
    with counted_as_viewer(folder, "ann pts/1"):
        assert viewers(folder) == ("ann pts/1",)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / f"{dead_process()}-5").touch()
        (folder / "notes.txt").touch()
        assert viewers(folder) == ("ann pts/1",)
    assert viewers(folder) == ()


def test_a_file_is_replaced_as_a_whole_for_its_user_only(tmp_path: Path) -> None:
    path = tmp_path / "said.json"
    path.write_text("old")
    path.chmod(0o644)
    write_atomically(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "home"] == ["said.json"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "said.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "said.json", "new")
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "home"] == ["said.json"]


def test_files_stand_beside_the_store_or_in_the_data_folder_without_its_password(tmp_path: Path) -> None:
    assert file_beside("/x/spendtop.db", ".lock", tmp_path) == Path("/x/spendtop.db.lock")
    of_server = file_beside("postgresql://me:***@host/spend", ".lock", tmp_path)
    assert of_server.parent == tmp_path
    assert "host" not in of_server.name
    assert of_server != file_beside("postgresql://me:***@other/spend", ".lock", tmp_path)


def test_what_killed_viewers_left_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    folder = tmp_path / "viewers"
    folder.mkdir()
    (folder / "999999999-1").touch()
    with counted_as_viewer(folder, "ann pts/1"):
        assert [entry.name.partition("-")[0] for entry in folder.iterdir()] == [str(os.getpid())]


def test_on_a_full_disk_an_announcement_is_written_over_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "holder"
    announce(file, me())
    blocks = file.stat().st_blocks

    def no_room(**_where: object) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", no_room)
    condition = Condition(name="disk", status=ConditionStatus.DOWN, sentence="The disk is full.", since=1)
    announce(file, me(conditions=(condition,)))
    held = running_collector(file)
    assert held is not None
    assert held.conditions == (condition,)
    assert file.stat().st_blocks == blocks


def test_on_a_full_disk_a_first_announcement_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(**_where: object) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", no_room)
    with pytest.raises(CannotWrite, match="Make room"):
        announce(tmp_path / "holder", me())


def test_on_a_full_disk_one_watches_without_being_counted(tmp_path: Path) -> None:
    (tmp_path / "viewers").touch()
    with counted_as_viewer(tmp_path / "viewers", "ann"):
        assert viewers(tmp_path / "viewers") == ()
