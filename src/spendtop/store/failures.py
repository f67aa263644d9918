"""What a database says when it cannot be used, as sentences with a next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from spendtop.domain.errors import CannotWrite, NoPermission, StoreCorrupt
from spendtop.store.engine import Store
from spendtop.store.files import recovery

_DAMAGED = ("malformed", "not a database", "file is encrypted")
_REFUSED = ("password", "authentication", "permission denied", "readonly", "read-only", "does not exist")


@contextmanager
def named(store: Store) -> Iterator[None]:
    """Raise the database's failures within the block as StoreCorrupt, NoPermission or CannotWrite."""
    try:
        yield
    except DBAPIError as failure:
        reason = str(failure.orig).strip().splitlines()[0] if str(failure.orig).strip() else type(failure).__name__
        lowered = reason.lower()
        if store.path and any(word in lowered for word in _DAMAGED):
            raise StoreCorrupt(f"The store {store.name} is damaged: {reason}.\n{recovery(store.path)}") from None
        if any(word in lowered for word in _REFUSED):
            sentence = f"The store {store.name} refuses us: {reason}. Check its user, password and rights."
            raise NoPermission(sentence) from None
        fix = "Name another store with --database-url." if store.path else "Start it, or check its address."
        raise CannotWrite(f"The store {store.name} cannot be used: {reason}. {fix}") from None
