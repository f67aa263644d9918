"""The sample month as the demo unpacks it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spendtop.collector.demo.sample_month import unpack
from spendtop.domain.clock import to_micros

END = to_micros(datetime(2026, 11, 20, 14, 0, tzinfo=UTC))
"""When the generated month ends: a Friday."""


@pytest.fixture(scope="package")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Unpacked at its own end."""
    file: Path = tmp_path_factory.mktemp("month") / "month.db"
    unpack(file, END)
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection
