"""Stores that this user has collected into: one that was there and is gone, or is another one, is not a first start."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from msgspec import DecodeError, json

from spendtop.domain.errors import StoreCorrupt
from spendtop.store.engine import Store, named
from spendtop.store.store_id import ensured_id, store_id

_log = logging.getLogger(__name__)


class KnownStores:
    """A file with the id of each store, by its path or its address without a password. One that cannot be read or
    written knows nothing, and nothing is refused for that."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def urls(self) -> list[str]:
        """Where they are; not those that need a password, which is not kept here."""
        return [f"sqlite:///{name}" for name in self._ids() if "://" not in name]

    def refuse_a_loss(self, store: Store) -> None:
        """Raise StoreCorrupt when the store is known and is gone, or when there is another one in its place."""
        known = self._ids().get(store.name)
        if known is None:
            return
        path = store.path
        if path is not None and not path.exists():
            raise StoreCorrupt(f"The store {store.name} is gone. {_WAYS_OUT}")
        if path is not None and path.stat().st_size == 0:
            raise StoreCorrupt(f"The store {store.name} is empty, but it once held data. {_WAYS_OUT}")
        with named(store), store.reading() as connection:
            found = store_id(connection)
        if found != known:
            raise StoreCorrupt(f"The store {store.name} is not the one that was there before. {_WAYS_OUT}")

    def remember(self, store: Store) -> None:
        """From now on the store is known by its id."""
        with store.writing() as connection:
            found = ensured_id(connection)
        if self._ids().get(store.name) != found:
            self._put(store.name, found)

    def forget(self, store: Store) -> None:
        """Whatever is there the next time is what is meant."""
        if store.name in self._ids():
            self._put(store.name, None)

    def _put(self, name: str, found: str | None) -> None:
        try:
            self._write(name, found)
        except OSError as failure:
            _log.warning("%s cannot be written (%s): a lost store may go unnoticed", self._file, failure.strerror)

    def _ids(self) -> dict[str, str]:
        try:
            return _decoded(self._file.read_bytes())
        except OSError:
            return {}

    def _write(self, name: str, found: str | None) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            ids = {each: known for each, known in _decoded(file.read()).items() if each != name}
            written = json.format(json.encode(ids if found is None else {**ids, name: found}))
            file.seek(0)
            file.write(written)
            file.truncate()


_WAYS_OUT = (
    "Stop a collector that still runs (`spendtop stop`). If the disk is not mounted, mount it; else put the store or a"
    " backup back:\n"
    "  spendtop db restore FILE\n"
    "Or go on with what is there now, and with a new store where nothing is:\n"
    "  spendtop --new-store"
)


def _decoded(content: bytes) -> dict[str, str]:
    try:
        return json.decode(content, type=dict[str, str]) if content else {}
    except DecodeError:
        return {}
