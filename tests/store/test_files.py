from __future__ import annotations

import os
import shlex
import sqlite3
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from sqlalchemy import text

from spendtop.domain.errors import ExitCode, NoPermission, SpendtopError, StoreCorrupt
from spendtop.store.engine import Store, named
from spendtop.store.files import locate, prepare, prepare_folder, recovery, tightened
from spendtop.store.schema import upgrade

NOBODY = 65_534


def make_store(path: Path) -> None:
    prepare(path)
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    store.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def spoil(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def header_garbage(path: Path) -> None:
    make_store(path)
    spoil(path, 0, b"\xff" * 100)


def page_2_garbage(path: Path) -> None:
    make_store(path)
    spoil(path, 4096, b"\xff" * 4096)


def truncated(path: Path) -> None:
    make_store(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 - 100)


def only_a_header(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def empty_but_once_in_use(path: Path) -> None:
    path.touch()
    path.with_name(path.name + ".status.json").write_text("{}")


def text_file(path: Path) -> None:
    path.write_text("Dear diary,\n" * 100)


DAMAGED = (header_garbage, page_2_garbage, truncated, only_a_header, empty_but_once_in_use, text_file)


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_refused_with_three_ways_out_and_stays_as_it_is(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "it's mine; a $HOME.db"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt) as refusal:
        locate(f"sqlite:///{path}")
        prepare(path)
    assert refusal.value.exit_code == ExitCode.STORE_CORRUPT
    restore, recover, put_aside = (
        shlex.split(line.partition(":  ")[2]) for line in str(refusal.value).splitlines()[-3:]
    )
    assert restore == ["spendtop", "db", "restore", "BACKUP", "--force", "--database-url", f"sqlite:///{path}"]
    assert recover == ["sqlite3", str(path), ".recover", "|", "sqlite3", f"{path}.recovered"]
    assert put_aside[:6] == ["for", "f", "in", str(path), f"{path}-wal", f"{path}-shm;"]
    assert path.read_bytes() == before


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    folder = tmp_path / "spendtop.db"
    folder.mkdir()
    with pytest.raises(SpendtopError) as refusal:
        prepare(folder)
    assert refusal.value.exit_code == ExitCode.CANNOT_CREATE
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_refused(tmp_path: Path, exists: bool) -> None:
    target, link = tmp_path / "target.db", tmp_path / "spendtop.db"
    if exists:
        make_store(target)
    link.symlink_to(target)
    with pytest.raises(NoPermission, match="symbolic link"):
        prepare(link)
    assert target.exists() == exists


def test_an_empty_file_that_never_was_a_store_becomes_one(tmp_path: Path) -> None:
    path = tmp_path / "spendtop.db"
    path.touch()
    make_store(path)
    assert locate(f"sqlite:///{path}") == (f"sqlite:///{path}", None)


def test_a_new_store_and_its_files_are_for_its_user_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "spendtop.db"
    before = os.umask(0o022)
    try:
        prepare_folder(path)
        prepare(path)
        store = Store(f"sqlite:///{path}")
        upgrade(store)
        found = {entry.name: mode(entry) for entry in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert mode(path.parent) == 0o700
    assert set(found.values()) == {0o600}
    assert "spendtop.db-wal" in found


def test_a_whole_store_passes_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "spendtop.db"
    make_store(path)
    before = path.read_bytes()
    prepare(path)
    assert locate(f"sqlite:///{path}") == (f"sqlite:///{path}", None)
    assert path.read_bytes() == before


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_file_with_another_programs_tables_stays_as_it_is_and_the_store_is_made_beside_it(
    tmp_path: Path, journal: str
) -> None:
    path = tmp_path / "usage.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE llm_usage (id INTEGER PRIMARY KEY, cost REAL)")
        connection.commit()
    before = path.read_bytes()
    url, sentence = locate(f"sqlite:///{path}")
    assert url == f"sqlite:///{path}.spendtop.db"
    assert sentence is not None
    assert f"spendtop import --from-old {path}" in sentence
    make_store(Path(url.removeprefix("sqlite:///")))
    assert path.read_bytes() == before
    assert locate(url) == (url, None)


class TestWhatOthersMayDo:
    """With the store and the files beside it."""

    def test_is_taken_from_them_and_said(self, tmp_path: Path) -> None:
        path = tmp_path / "spendtop.db"
        make_store(path)
        wal, other = tmp_path / "spendtop.db-wal", tmp_path / "spendtop.db.mine"
        for each in (wal, other):
            each.touch()
        for each, loose in ((path, 0o666), (wal, 0o640), (other, 0o644), (tmp_path, 0o755)):
            each.chmod(loose)
        said = tightened(path, tmp_path / "another")
        assert [mode(each) for each in (path, wal, other, tmp_path)] == [0o600, 0o600, 0o644, 0o755]
        assert len(said) == 2
        assert f"{path} was open to others (mode 0666)" in said[0]
        assert tightened(path, tmp_path / "another") == []

    def test_reaches_to_the_programs_own_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "spendtop.db"
        make_store(path)
        tmp_path.chmod(0o755)
        (said,) = tightened(path, tmp_path)
        assert mode(tmp_path) == 0o700
        assert str(tmp_path) in said

    def test_does_not_reach_what_a_link_leads_to(self, tmp_path: Path) -> None:
        path, target = tmp_path / "spendtop.db", tmp_path / "target"
        make_store(path)
        target.touch()
        target.chmod(0o644)
        (tmp_path / "spendtop.db.lock").symlink_to(target)
        assert tightened(path, tmp_path / "another") == []
        assert mode(target) == 0o644


def test_postgresql_has_no_file() -> None:
    assert locate("postgresql+psycopg://me@host/spend") == ("postgresql+psycopg://me@host/spend", None)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that also another user can reach."""
    folder = Path(mkdtemp(prefix="spendtop-"))
    folder.chmod(0o755)
    yield folder
    rmtree(folder)


def as_ordinary_user(work: Callable[[], object]) -> int:
    """The exit code of `work` done by a user who is not root: for root nothing is read-only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the child does little and never returns
        child = os.fork()
    if child == 0:
        code = 0
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
        except SpendtopError as failure:
            code = int(failure.exit_code)
        except BaseException:
            code = 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def owned_by_the_ordinary_user(*paths: Path) -> None:
    if os.getuid() == 0:
        for path in paths:
            os.chown(path, NOBODY, NOBODY)


class TestForOneWhoMayNot:
    """Exit code 77, and everything as it was."""

    def refused(self, path: Path) -> None:
        def start() -> None:
            locate(f"sqlite:///{path}")
            prepare_folder(path)
            prepare(path)

        assert as_ordinary_user(start) == ExitCode.NO_PERMISSION

    def test_a_read_only_file(self, open_folder: Path) -> None:
        path = open_folder / "spendtop.db"
        make_store(path)
        owned_by_the_ordinary_user(open_folder, path)
        path.chmod(0o444)
        before = path.read_bytes()
        self.refused(path)
        assert path.read_bytes() == before

    def test_a_file_in_a_read_only_folder(self, open_folder: Path) -> None:
        path = open_folder / "spendtop.db"
        make_store(path)
        owned_by_the_ordinary_user(path)
        open_folder.chmod(0o555)
        self.refused(path)

    def test_a_file_in_a_read_only_folder_is_read(self, open_folder: Path) -> None:
        path = open_folder / "spendtop.db"
        make_store(path)
        path.chmod(0o444)
        open_folder.chmod(0o555)

        def look() -> None:
            url, _ = locate(f"sqlite:///{path}")
            store = Store(url)
            with store.reading() as connection:
                assert connection.execute(text("SELECT count(*) FROM requests")).scalar_one() == 0
            with pytest.raises(NoPermission, match="Give yourself write access"), named(store), store.writing():
                pass
            store.close()

        assert as_ordinary_user(look) == ExitCode.OK
        assert [file.name for file in open_folder.iterdir()] == [path.name]

    def test_a_new_file_in_a_read_only_folder(self, open_folder: Path) -> None:
        open_folder.chmod(0o555)
        self.refused(open_folder / "spendtop.db")
        assert list(open_folder.iterdir()) == []

    def test_a_new_folder_in_a_read_only_folder(self, open_folder: Path) -> None:
        open_folder.chmod(0o555)
        self.refused(open_folder / "new" / "spendtop.db")

    def test_a_file_that_others_may_not_read(self, open_folder: Path) -> None:
        path = open_folder / "spendtop.db"
        make_store(path)
        owned_by_the_ordinary_user(open_folder, path)
        path.chmod(0o200)
        self.refused(path)

    def test_a_folder_that_cannot_be_entered(self, open_folder: Path) -> None:
        make_store(open_folder / "spendtop.db")
        open_folder.chmod(0o000)
        self.refused(open_folder / "spendtop.db")


@pytest.mark.parametrize("name", ["a b.db", "it's.db", "$(touch hit).db", "a;touch hit.db", "-rf.db", "s.db"])
def test_a_damaged_store_is_put_aside_by_a_shell_as_it_is_printed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"damaged")
    (tmp_path / f"{name}-wal").write_bytes(b"wal")
    command = recovery(Path(name)).splitlines()[-1].partition(":  ")[2]
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=30, check=True)
    assert done.stderr == b""
    left = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert left == {f"{name}.corrupt": b"damaged", f"{name}-wal.corrupt": b"wal"}


def test_looking_at_a_file_takes_no_lock_away_from_a_connection_that_is_open(tmp_path: Path) -> None:
    """The log would go with the last of the others, under the feet of whoever still writes into it."""
    path = tmp_path / "spendtop.db"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    with store.reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM meta")
    log = path.with_name("spendtop.db-wal")
    before = log.stat().st_ino
    locate(f"sqlite:///{path}")
    prepare(path)
    other = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM meta').fetchone(); c.close()"
    )
    subprocess.run([sys.executable, "-c", other, path], check=True)
    assert log.stat().st_ino == before
    store.close()
