from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import spendtop
from spendtop.collector.process.readiness import Standing
from spendtop.services.presence import Holder, State, announce, holder, process_start
from tests.conftest import SettableClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collector.json"


@pytest.fixture
def standing(path: Path, clock: SettableClock) -> Standing:
    return Standing(path, "http://127.0.0.1:8000", "viewer", clock)


def test_it_says_who_it_is_and_where_it_stands(standing: Standing, path: Path, clock: SettableClock) -> None:
    started = clock()
    for state in State:
        clock.advance(1)
        standing.tell(state)
        assert holder(path) == Holder(
            pid=os.getpid(),
            state=state,
            url="http://127.0.0.1:8000",
            started_by="viewer",
            since=started,
            process_started=process_start(os.getpid()),
            version=spendtop.__version__,
        )
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_leaves_nothing_behind(standing: Standing, path: Path) -> None:
    standing.tell(State.READY)
    standing.leave()
    standing.leave()
    assert not path.exists()


def test_what_another_collector_says_stays(standing: Standing, path: Path) -> None:
    standing.tell(State.READY)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        theirs = Holder(
            pid=other.pid,
            state=State.READY,
            url="http://127.0.0.1:8001",
            started_by="service",
            since=0,
            process_started=process_start(other.pid),
        )
        announce(path, theirs)
        standing.leave()
        assert holder(path) == theirs
        other.kill()


def test_nothing_secret_is_in_it(standing: Standing, path: Path) -> None:
    standing.tell(State.READY)
    assert json.loads(path.read_text()).keys() == {
        "pid",
        "state",
        "url",
        "started_by",
        "since",
        "process_started",
        "version",
    }
