"""Files that appear when they are complete, readable by this user only."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from spendtop.domain.errors import CannotCreate, CannotWrite


def create(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a new file; one that is there already stays as it is.

    Raises CannotCreate where nothing can be made or something is there, and CannotWrite where it cannot be finished.
    """
    if os.path.lexists(path):
        raise _is_there(path)
    _write(path, chunks, os.link)


def replace(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file in place of the one that is there. A symlink, or what is no plain file, is refused.

    Raises what `create` raises.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise CannotCreate(f"{path} is no plain file and is not replaced. Give another path.")
    _write(path, chunks, os.replace)


def _write(path: Path, chunks: Iterable[bytes], put: Callable[[Path, Path], None]) -> None:
    path = path.absolute()
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    except OSError as error:
        raise CannotCreate(f"{path} cannot be written: {error.strerror}. Give another path.") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(handle)
        put(part, path)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}. Nothing was left there.") from None
    finally:
        with suppress(OSError):
            part.unlink()


def _is_there(path: Path) -> CannotCreate:
    return CannotCreate(f"{path} is there already and is not replaced. Give another path.")
