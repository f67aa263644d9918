"""Claude Code's status line, from what it hands over."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from spendtop.cli.agents.statusline import print_line
from spendtop.config.paths import data_folder
from spendtop.services.agents import plan_windows
from spendtop.store.engine import Store

TOLD = {
    "session_id": "s",
    "model": {"id": "claude-opus-4-6", "display_name": "Opus\x1b 4.6"},
    "cost": {"total_cost_usd": 1.234},
    "rate_limits": {"five_hour": {"used_percentage": 42.4, "resets_at": 4e9}, "seven_day": {"used_percentage": 31}},
}


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def print_of(raw: bytes) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        assert print_line() == 0
        return capsys.readouterr().out

    return print_of


def keep_status(nano: int, requests: int, unpriced: int = 0, plan: int = 12_400_000_000, age: int = 0) -> None:
    """As the collector leaves it beside the default store."""
    today = {"nano": nano, "requests": requests, "unpriced": unpriced}
    status = {"at": int((time.time() - age) * 1e6), "today": today, "api_equivalent": {"nano": plan}}
    data_folder().mkdir(parents=True, exist_ok=True)
    (data_folder() / "spendtop.db.status.json").write_text(json.dumps(status))


def test_it_says_model_session_today_and_windows_and_keeps_these(line: Any, sqlite_store: Store) -> None:
    keep_status(2_500_000_000, requests=3)
    said = line(json.dumps(TOLD).encode())
    assert said.startswith("Opus 4.6 · session ~$1.23 · today $2.50 ~$12.40 plan · 5h 42% until ")
    assert said.endswith("7d 31%\n")
    with sqlite_store.reading() as connection:
        five, seven = plan_windows.known(connection, "box", data_folder())
    assert (five.agent, five.name, five.used_percent, five.resets_at) == ("claude-code", "5h", 42.4, 4 * 10**15)
    assert (seven.name, seven.resets_at) == ("7d", None)


@pytest.mark.parametrize(
    ("nano", "requests", "unpriced", "words"),
    [
        (511_955_500, 16, 3, "$0.512 + 3 unpriced"),
        (4_200_000, 2, 0, "$0.0042"),
        (1_234_567_890_000, 9, 0, "$1,234.57"),
        (0, 2, 2, "2 unpriced"),
        (0, 2, 0, "$0.00"),
    ],
)
def test_today_reads_as_on_every_face(line: Any, nano: int, requests: int, unpriced: int, words: str) -> None:
    keep_status(nano, requests, unpriced, plan=0)
    assert line(b"{}") == f"today {words}\n"


def test_a_figure_that_nobody_keeps_up_is_no_longer_todays(line: Any) -> None:
    keep_status(2_500_000_000, requests=3, age=3600)
    assert line(b"{}") == "spendtop: not recording\n"


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"rate_limits":{"five_hour":{"used_percentage":"x"}},"cost":3}'])
def test_whatever_comes_there_is_a_line(line: Any, raw: bytes) -> None:
    assert line(raw) == "spendtop\n"
    assert not (data_folder() / plan_windows.FILE).exists()


def test_without_windows_its_session_is_money(line: Any) -> None:
    assert line(json.dumps({**TOLD, "rate_limits": None}).encode()) == "Opus 4.6 · session $1.23\n"


def test_nothing_heavy_is_loaded_for_it(tmp_path: Path) -> None:
    script = "import sys; from spendtop.__main__ import main; main(['statusline']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], input=b"{}", capture_output=True, check=True, cwd=tmp_path)
    loaded = done.stdout.decode().split()
    assert not {"pydantic", "sqlalchemy", "msgspec", "textual", "platformdirs", "argparse"} & set(loaded)
