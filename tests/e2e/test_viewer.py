"""The real viewer in a real terminal, over a real collector."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from spendtop.services.stores.presence import RunningCollector, running_collector
from tests.e2e.processes import command, configured, environment, spendtop, webhook
from tests.e2e.test_locked_store import locked
from tests.helicone_captures import sign
from tests.tui.pty_face import PtyProgram
from tests.waiting import DEADLINE, eventually


@contextmanager
def viewing(folder: Path) -> Iterator[PtyProgram]:
    """A viewer that starts a collector; both are gone at the end of the block."""
    file = configured(folder)
    try:
        with another_viewer(folder) as viewer:
            yield viewer
    finally:
        spendtop(folder, "stop", "--config", file)


def another_viewer(folder: Path) -> PtyProgram:
    """One more, of the same store."""
    return PtyProgram(command("--config", folder / "spendtop.toml"), folder, environment(folder), (140, 30))


def holder(folder: Path) -> RunningCollector | None:
    return running_collector(folder / "spendtop.db.collector.json")


def test_while_another_program_holds_the_store_it_is_not_called_live(tmp_path: Path) -> None:
    with viewing(tmp_path) as viewer, ThreadPoolExecutor() as pool:
        viewer.until("LIVE")
        collector = eventually(lambda: holder(tmp_path))
        raw = webhook("waits")
        with locked(tmp_path):
            answer = pool.submit(
                httpx.post,
                f"{collector.url}/webhook",
                content=raw,
                headers={"Helicone-Signature": sign(raw)},
                timeout=DEADLINE,
                trust_env=False,
            )
            viewer.until("DEGRADED since")
            viewer.until_gone("LIVE")
        assert answer.result().status_code == 200
        viewer.until("LIVE")


def test_a_collector_outlives_the_killed_screens_that_started_it_and_that_is_said(tmp_path: Path) -> None:
    with viewing(tmp_path) as viewer:
        viewer.until("own collector")
        collector = eventually(lambda: holder(tmp_path))
        assert viewer.end(signal.SIGKILL) == -signal.SIGKILL
        raw = webhook("meanwhile")
        sent = httpx.post(
            f"{collector.url}/webhook", content=raw, headers={"Helicone-Signature": sign(raw)}, trust_env=False
        )
        assert sent.status_code == 200
        with another_viewer(tmp_path) as again:
            again.until("attached")
            again.press("Q")
            again.until("`spendtop stop` stops it")
            again.press("y")
            assert again.wait() == 0
            again.until(f"The collector (process {collector.pid}) goes on recording: `spendtop` shows it")
        assert (
            f"process {collector.pid} listens"
            in spendtop(tmp_path, "check", "--config", tmp_path / "spendtop.toml").out
        )
    assert holder(tmp_path) is None


def test_a_killed_collector_is_missed_and_another_one_started_by_a_key(tmp_path: Path) -> None:
    with viewing(tmp_path) as viewer:
        viewer.until("LIVE")
        first = eventually(lambda: holder(tmp_path))
        viewer.until(f"{first.url}/webhook")
        os.kill(first.pid, signal.SIGKILL)
        viewer.until("NOT RECORDING since")
        viewer.until("! starts one")
        viewer.until_gone(first.url)
        viewer.press("!")
        viewer.until("LIVE")
        second = eventually(lambda: holder(tmp_path))
        assert second.pid != first.pid
