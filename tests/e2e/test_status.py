"""`spendtop status` knows whether somebody collects, however the collector ended."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.processes import collecting, configured, spendtop
from tests.waiting import eventually


def collector_of(folder: Path) -> str:
    said = spendtop(folder, "status", "--json", "--config", configured(folder))
    assert (said.code, said.err) == (0, "")
    answer: dict[str, str] = json.loads(said.out)
    return answer["collector"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_collector_that_ended_is_noticed_without_waiting_for_its_figures_to_grow_old(
    tmp_path: Path, number: signal.Signals
) -> None:
    with collecting(tmp_path) as collector:
        eventually(lambda: (tmp_path / "spendtop.db.status.json").exists())
        assert collector_of(tmp_path) == "running"
        collector.end(number)
        eventually(lambda: collector_of(tmp_path) == "gone")
