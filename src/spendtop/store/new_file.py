"""A file that appears under its name when it is complete, readable by this user only, and survives the power then.

Until then it is `.NAME.part` beside it. What a killed writer left of that is used again by the next one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spendtop.domain.errors import CannotCreate, CannotWrite

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP)
_OF_SQLITE = ("-wal", "-shm", "-journal")
"""Files that a database has beside it while it is written."""


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty file for the block to fill, which is at `path` afterwards; what is there already stays as it is.

    Raises CannotCreate where nothing can be made or something is there, and CannotWrite where it cannot be finished.
    """
    if os.path.lexists(path):
        raise _is_there(path)
    with part_of(path, _link) as part:
        yield part


@contextmanager
def file_in_place_of(path: Path) -> Iterator[Path]:
    """The same, but it replaces what is there. A symlink, or what is no plain file, is refused."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise CannotCreate(f"{path} is no plain file and is not replaced. Give another path.")
    with part_of(path, os.replace) as part:
        yield part


@contextmanager
def part_of(path: Path, put: Callable[[Path, Path], None]) -> Iterator[Path]:
    """The same, but `put` gives the complete file its name: it is called with where it is and where it belongs."""
    path = path.absolute()
    part = path.with_name(f".{path.name[:200]}.part")
    handle = _taken(part, path)
    try:
        _drop_companions(part)
        yield part
        os.fsync(handle)
        put(part, path)
        settle(path.parent)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}. Nothing was left there.") from None
    finally:
        with suppress(OSError):
            part.unlink()
        _drop_companions(part)
        os.close(handle)


def settle(folder: Path) -> None:
    """Make sure that the names in a folder survive the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _taken(part: Path, path: Path) -> int:
    """A descriptor of the empty part, which nobody else writes. Raises CannotCreate."""
    try:
        while True:
            handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(handle, part):
                    os.ftruncate(handle, 0)
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
    except BlockingIOError:
        raise CannotCreate(
            f"{path} is being written by another process. Wait for its end, or give another path."
        ) from None
    except OSError as error:
        raise CannotCreate(f"{path} cannot be written: {error.strerror}. Give another path.") from None


def _is_at(handle: int, part: Path) -> bool:
    """Whether the file that we locked is still the one of that name: its writer may just have finished."""
    try:
        return os.path.samestat(os.fstat(handle), part.lstat())
    except FileNotFoundError:
        return False


def _link(part: Path, path: Path) -> None:
    """Give it its name unless that is taken, also where files cannot have two names."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        part.rename(path)


def _drop_companions(part: Path) -> None:
    for suffix in _OF_SQLITE:
        part.with_name(part.name + suffix).unlink(missing_ok=True)


def _is_there(path: Path) -> CannotCreate:
    return CannotCreate(f"{path} is there already and is not replaced. Give another path.")
