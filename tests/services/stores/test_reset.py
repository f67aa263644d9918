"""Starting anew keeps a whole copy, and what makes duplicates."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from spendtop.domain.clock import HOUR
from spendtop.domain.errors import CannotCreate
from spendtop.services import tokens
from spendtop.services.stores import reset as store_reset
from spendtop.store.engine import Store
from spendtop.store.tables import (
    AlertTable,
    DayTotalTable,
    DeliveryTable,
    RequestKeyTable,
    RequestTable,
    TokenTable,
    TotalTable,
)
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, day_sums, hour_sums_by_day, limit, request, rows, sum_hours

Make = Callable[..., Collecting]


def rows_in_backup(path: Path) -> int:
    """Requests in a backup."""
    with closing(sqlite3.connect(path)) as copy:
        return int(copy.execute("SELECT count(*) FROM request").fetchone()[0])


def test_usage_goes_after_a_backup_and_a_repeat_is_still_a_duplicate(
    collecting: Make, store: Store, clock: SettableClock, tmp_path: Path
) -> None:
    one = collecting(limit(usd=1))
    one.record(*(request(number, clock()) for number in range(5)))
    one.evaluate()
    sum_hours(store, clock() + HOUR)
    with store.writing() as connection:
        tokens.create(connection, "web", clock())
    with store.writing() as connection:
        done = store_reset.reset(store, connection, tmp_path / "backups", clock())
    assert done.deleted == 5
    assert rows_in_backup(done.backup) == 5
    assert done.backup.stat().st_mode & 0o777 == 0o600
    assert list(done.backup.parent.iterdir()) == [done.backup]
    usage = (RequestTable, TotalTable, DayTotalTable, AlertTable, DeliveryTable)
    assert [rows(store, each) for each in usage] == [[], [], [], [], []]
    assert (len(rows(store, RequestKeyTable)), len(rows(store, TokenTable))) == (5, 1)
    assert [outcome.status for outcome in one.record(request(1, clock()), request(9, clock()))] == [
        "duplicate",
        "stored",
    ]
    assert len(rows(store, RequestTable)) == 1
    assert day_sums(store) == hour_sums_by_day(store) != {}


def test_without_a_backup_nothing_goes(collecting: Make, store: Store, clock: SettableClock, tmp_path: Path) -> None:
    one = collecting()
    one.record(request(1, clock()))
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreate, match="cannot be made"), store.writing() as connection:
        store_reset.reset(store, connection, tmp_path / "file" / "backups", clock())
    assert len(rows(store, RequestTable)) == 1
