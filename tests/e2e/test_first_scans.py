"""A first scan of coding agents' files that is killed goes on where it was, and counts each call once."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from spendtop.domain.clock import to_iso
from tests.e2e.processes import LISTENER, collecting, rows
from tests.sources.agents.test_claude_code import line
from tests.waiting import eventually

_CALLS = "SELECT coalesce(sum(requests), 0), coalesce(sum(cost_nano), 0) FROM total WHERE dimension = 'plan'"


def lay_out(home: Path, files: int, calls: int, chance: random.Random) -> None:
    """Sessions of Claude Code: every call is told twice, and some of them in another file again."""
    folder = home / ".claude" / "projects" / "-src"
    folder.mkdir(parents=True)
    at = to_iso(time.time_ns() // 1_000)
    for number in range(files):
        told = [line(message_id=f"msg_{number}_{call}", timestamp=at) for call in range(calls)]
        others = [f"msg_{chance.randrange(files)}_{chance.randrange(calls)}" for _ in range(calls // 10)]
        copied = [line(message_id=other, timestamp=at) for other in others]
        lines = [each for each in told for _ in range(2)] + copied
        (folder / f"session-{number}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def kill_while_files_are_read(folder: Path, seed: int, files: int, calls: int, kills: int) -> None:
    chance = random.Random(seed)
    lay_out(folder, files, calls, chance)
    whole = files * calls
    amid = 0
    for _ in range(kills):
        with collecting(folder, LISTENER) as collector:
            enough = chance.randrange(1, whole // 2)
            eventually(lambda enough=enough: rows(folder, _CALLS)[0][0] >= enough)  # type: ignore[misc]
            collector.process.kill()
            collector.process.wait()
        amid += 0 < rows(folder, _CALLS)[0][0] < whole
    assert amid, "every kill came too early or too late"
    with collecting(folder, LISTENER) as collector:
        eventually(lambda: rows(folder, "SELECT coalesce(max(waiting), 1) FROM agent_root") == [(0,)])
        assert collector.end().code == 0
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    ((stored, equivalent),) = rows(folder, "SELECT count(*), coalesce(sum(computed_cost_nano), 0) FROM request")
    assert stored == whole
    assert equivalent > 0
    assert rows(folder, _CALLS) == [(stored, equivalent)]
    assert rows(folder, "SELECT count(*) FROM total WHERE dimension = 'all'") == [(0,)]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_a_first_scan_survives_kills(tmp_path: Path, seed: int) -> None:
    kill_while_files_are_read(tmp_path, seed, files=40, calls=100, kills=3)
