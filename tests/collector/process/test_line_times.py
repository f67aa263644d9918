from __future__ import annotations

import os
from pathlib import Path

import pytest

from spendtop.collector.process.line_times import is_journal, line_time
from spendtop.domain.clock import SECOND


def test_the_journal_is_what_its_variable_names_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("wb") as journal, (tmp_path / "log").open("wb") as log:
        there = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        assert is_journal(journal.fileno())
        assert not is_journal(log.fileno())
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not is_journal(journal.fileno())
        gone = log.fileno()
    assert not is_journal(gone)


def test_a_line_begins_with_the_machines_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    import time

    time.tzset()
    try:
        assert line_time(1_795_129_200 * SECOND + 5) == "2026-11-20 00:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()
