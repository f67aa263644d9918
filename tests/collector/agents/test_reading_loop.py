"""The process that reads, and what is recorded of what it says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection

from spendtop.collector.agents.reading_loop import ReadingLoop
from spendtop.collector.setup import CompanionContext
from spendtop.domain.money import Usd
from spendtop.services.agents import files as agent_files
from spendtop.services.recording.preparation import Ready
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.store.reads.spending.sums import plan_spend, spend
from tests.collector.conftest import Bench
from tests.sources.agents.homes import cases, lay_out
from tests.sources.agents.test_claude_code import line
from tests.waiting import DEADLINE, soon


def rooms_of(bench: Bench) -> CompanionContext:
    return CompanionContext(
        bench.store, bench.recorder, "", bench.clock, lambda: bench.active.settings, lambda sentence: None
    )


def calls(bench: Bench) -> int:
    with bench.store.reading() as connection:
        return plan_spend(connection, None, None).requests


async def test_a_home_is_recorded_once_lives_on_and_is_no_spend(bench: Bench, tmp_path: Path) -> None:
    home = tmp_path / "mira"
    for case in ("claude/streaming", "codex/usage_records", "opencode/database"):
        lay_out(case, home)
    known = sum(len(cases()[case]["expected"]["records"]) for case in ("claude/streaming", "opencode/database"))
    known += len(cases()["codex/usage_records"]["expected"]["records"])
    bench.start()
    (file,) = home.rglob("*/projects/*/*.jsonl")
    for further in (1, 2):
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            loop = ReadingLoop(rooms_of(bench), home, {})
            tasks.create_task(asyncio.wait_for(loop.run(stop), DEADLINE))
            await soon(lambda further=further: calls(bench) == known + further - 1)  # type: ignore[misc]
            with file.open("a") as growing:
                growing.write(line(message_id=f"msg_{further}", model="unpriced") + "\n")
            await soon(lambda further=further: calls(bench) == known + further)  # type: ignore[misc]
            stop.set()
    with bench.store.reading() as connection:
        assert (spend(connection, None, None).requests, spend(connection, None, None).cost) == (0, Usd(0))
        looks = agent_files.looks(connection, socket.gethostname())
        use = agent_files.uses(connection)["claude-code"]
    assert {look.agent for look in looks} == {"claude-code", "codex", "opencode"}
    assert use.lower_bounds == 1
    assert bench.rows("SELECT count(DISTINCT session_id) FROM request")[0][0] >= 4


async def test_nothing_is_started_where_there_are_no_folders(bench: Bench, tmp_path: Path) -> None:
    stop = asyncio.Event()
    bench.start()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(ReadingLoop(rooms_of(bench), tmp_path / "nobody", {}).run(stop))
        await asyncio.sleep(0)
        stop.set()
        await asyncio.wait_for(running, DEADLINE)
    assert bench.rows("SELECT count(*) FROM agent_root")[0][0] == 0


async def test_little_is_recorded_at_once_while_others_record(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "home" / ".claude" / "projects" / "p" / "a.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(f"{line(message_id=f'msg_{number}')}\n" for number in range(60)))
    bench.start()
    monkeypatch.setattr(Recorder, "is_quiet", False)
    groups: list[int] = []
    record = bench.recorder.record_prepared

    def noted(connection: Connection, ready: Sequence[Ready]) -> list[Outcome]:
        groups.append(len(ready))
        return record(connection, ready)

    monkeypatch.setattr(bench.recorder, "record_prepared", noted)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.wait_for(ReadingLoop(rooms_of(bench), tmp_path / "home", {}).run(stop), DEADLINE))
        await soon(lambda: calls(bench) == 60)
        stop.set()
    assert groups == [25, 25, 10]
