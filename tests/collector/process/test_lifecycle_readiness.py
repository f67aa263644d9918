from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import spendtop
from spendtop.collector.process.lifecycle import Readiness
from spendtop.services.stores.presence import (
    CollectorState,
    RunningCollector,
    announce,
    process_start,
    running_collector,
)
from tests.conftest import SettableClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collector.json"


@pytest.fixture
def readiness(path: Path, clock: SettableClock) -> Readiness:
    return Readiness(path, "http://127.0.0.1:8000", "viewer", clock)


def test_it_says_who_it_is_and_where_it_stands(readiness: Readiness, path: Path, clock: SettableClock) -> None:
    started = clock()
    for state in CollectorState:
        clock.advance(1)
        readiness.announce(state)
        assert running_collector(path) == RunningCollector(
            pid=os.getpid(),
            state=state,
            url="http://127.0.0.1:8000",
            started_by="viewer",
            since=started,
            process_started=process_start(os.getpid()),
            version=spendtop.__version__,
        )
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_leaves_nothing_behind(readiness: Readiness, path: Path) -> None:
    readiness.announce(CollectorState.READY)
    readiness.withdraw()
    readiness.withdraw()
    assert not path.exists()


def test_what_another_collector_says_stays(readiness: Readiness, path: Path) -> None:
    readiness.announce(CollectorState.READY)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        theirs = RunningCollector(
            pid=other.pid,
            state=CollectorState.READY,
            url="http://127.0.0.1:8001",
            started_by="service",
            since=0,
            process_started=process_start(other.pid),
        )
        announce(path, theirs)
        readiness.withdraw()
        assert running_collector(path) == theirs
        other.kill()


def test_nothing_secret_is_in_it(readiness: Readiness, path: Path) -> None:
    readiness.announce(CollectorState.READY)
    assert json.loads(path.read_text()).keys() == {
        "pid",
        "state",
        "url",
        "started_by",
        "since",
        "process_started",
        "version",
    }
