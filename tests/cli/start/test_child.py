from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from spendtop.cli.start.child import Child, NotStarted
from spendtop.collector.process.lifecycle import Readiness
from spendtop.collector.process.log_file import LIMIT, earlier
from spendtop.domain.errors import ExitCode
from tests.e2e.processes import LISTENER, configured, webhook
from tests.helicone_captures import sign
from tests.waiting import DEADLINE, eventually


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "state" / "collector.log"


def child(folder: Path, log: Path, *more: str, config: str = LISTENER, leash: bool = True) -> Child:
    return Child(["--config", str(configured(folder, config)), *more], "viewer", log, leash)


@contextmanager
def ended_at_last(started: Child) -> Iterator[Child]:
    try:
        yield started
    finally:
        started.end()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping", trust_env=False, timeout=DEADLINE).text == "pong"
    except httpx.HTTPError:
        return False


def test_it_is_ready_when_it_listens_and_ends_with_its_leash(tmp_path: Path, log: Path) -> None:
    started = child(tmp_path, log)
    ready = started.wait_until_ready()
    assert answers(ready.url)
    assert os.getsid(ready.pid) == ready.pid
    started.end()
    assert not answers(ready.url)
    assert log.stat().st_mode & 0o777 == 0o600


def test_its_log_is_put_aside_while_it_runs_and_it_goes_on_in_the_new_one(tmp_path: Path, log: Path) -> None:
    with ended_at_last(child(tmp_path, log)) as started:
        ready = started.wait_until_ready()
        with log.open("ab") as more:
            more.write(b"x" * LIMIT)
        eventually(lambda: earlier(log).exists())
        raw = webhook("7f3c1c9e-5b1d-4a6e-9d0b-2f6f0c1d2e3f")
        headers = {"Helicone-Signature": sign(raw)}
        answer = httpx.post(f"{ready.url}/webhook", content=raw, headers=headers, trust_env=False, timeout=DEADLINE)
        assert answer.status_code == 200
        eventually(lambda: "processed" in log.read_text())
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_start_that_is_refused_says_why(tmp_path: Path, log: Path) -> None:
    (tmp_path / "spendtop.db").mkdir()
    with pytest.raises(NotStarted, match="is a folder") as refusal:
        child(tmp_path, log).wait_until_ready()
    assert refusal.value.exit_code == ExitCode.CANNOT_CREATE
    assert not refusal.value.already_running


def test_how_far_an_upgrade_is_comes_before_the_ready_line(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(command: Sequence[str], **_options: object) -> object:
        readiness = Readiness(tmp_path / "holder", "http://here", "viewer", lambda: 0, int(command[-1]))
        for share in (0.0, 0.5):
            readiness.upgrading(share)
        os.write(int(command[-1]), b'{"ready": true, "pid": 7, "url": "http://here"}\n')
        return object()

    monkeypatch.setattr("spendtop.cli.start.child.subprocess.Popen", start)
    shares: list[float] = []
    assert child(tmp_path, log, leash=False).wait_until_ready(shares.append).pid == 7
    assert shares == [0.0, 0.5]


def test_a_store_that_is_held_is_one_to_attach_to(tmp_path: Path, log: Path) -> None:
    with ended_at_last(child(tmp_path, log)) as first:
        ready = first.wait_until_ready()
        with pytest.raises(NotStarted, match=str(ready.pid)) as refusal:
            child(tmp_path, log).wait_until_ready()
    assert refusal.value.already_running


def test_an_end_without_a_word_is_told_with_the_end_of_the_log(tmp_path: Path, log: Path) -> None:
    with pytest.raises(NotStarted, match="--nonsense") as refusal:
        child(tmp_path, log, "--nonsense").wait_until_ready()
    assert str(log) in str(refusal.value)
    assert refusal.value.exit_code == ExitCode.USAGE


def test_without_a_leash_it_goes_on(tmp_path: Path, log: Path) -> None:
    started = child(tmp_path, log, leash=False)
    ready = started.wait_until_ready()
    try:
        assert answers(ready.url)
    finally:
        os.kill(ready.pid, signal.SIGTERM)
        started.end()
    eventually(lambda: not answers(ready.url))
