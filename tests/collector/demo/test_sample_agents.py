"""The demo's home of coding agents: read as a real one, and always of the last days."""

from __future__ import annotations

import gzip
from pathlib import Path

from spendtop.collector.demo.sample_agents import lay_out
from spendtop.collector.demo.sample_files import AGENTS, sample_file
from spendtop.domain.clock import DAY, HOUR
from spendtop.sources.agents.bookmark import Tally
from tests.sources.agents.homes import read

NOW = 1_800_000_000_000_000


def test_its_calls_are_of_the_last_days_whenever_it_is_laid_out(tmp_path: Path) -> None:
    lay_out(tmp_path, NOW)
    tally = Tally()
    calls = list(read(tmp_path, tally=tally))
    assert {call.agent for call in calls} == {"claude-code", "codex"}
    assert 100 < len(calls) < 700 and not tally["malformed lines"]
    times = [call.occurred_at for call in calls]
    assert min(times) > NOW - 12 * DAY and NOW - 2 * HOUR < max(times) < NOW
    assert len({call.properties["branch"] for call in calls}) >= 4
    assert any(call.path.startswith("/agent/") for call in calls)


def test_it_is_small() -> None:
    packed = sample_file(AGENTS).read_bytes()
    assert len(packed) < 60_000 and b"/home/mira" in gzip.decompress(packed)
