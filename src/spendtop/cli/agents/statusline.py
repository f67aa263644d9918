"""`spendtop statusline`: Claude Code hands it JSON with every answer, shows the line that it prints, and waits for it.

What the provider says of the plan's windows there is kept for the screens. Imports next to nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from spendtop.domain.cost_words import cost_words, equivalent_words, known_cost
from spendtop.domain.money import Usd

_AGENT = "claude-code"
_MINUTES = {"five_hour": 300, "seven_day": 10_080}
"""The windows that Claude Code tells of."""
_WINDOWS_FILE, _STATUS_FILE = "plan-windows.json", "spendtop.db.status.json"
_MOST_BYTES = 1 << 20
_STALE_SECONDS = 90
"""The collector writes its file at least every 30 s."""
_LONGEST = 40


def run(_options: object) -> int:
    """As all commands are called."""
    return print_line()


def print_line() -> int:
    """Print what is known; whatever comes, the line is there and nothing fails."""
    told = _object(sys.stdin.buffer.read(_MOST_BYTES))
    folder, now = _data_folder(), time.time()
    windows = list(_windows(told, now))
    if windows:
        _keep(folder, windows)
    words = [_model(told), _session(told, bool(windows)), _today(folder, now), *(_used(each, now) for each in windows)]
    sys.stdout.write(" · ".join(filter(None, words)) or "spendtop")
    sys.stdout.write("\n")
    return 0


def _data_folder() -> Path:
    """As `config.paths.data_folder` has it, which on other systems than Linux is asked."""
    if sys.platform != "linux":
        from spendtop.config.paths import data_folder

        return data_folder()
    home = os.environ.get("XDG_DATA_HOME", "")
    return Path(home if home.strip() else "~/.local/share").expanduser() / "spendtop"


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    part = value.get(name)
    return part if isinstance(part, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value < 1e12 else None  # type: ignore[operator,arg-type]


def _windows(told: dict[str, Any], now: float) -> Iterator[dict[str, Any]]:
    """As `domain.agents.plan_windows.PlanWindow`."""
    limits = _part(told, "rate_limits")
    for name, minutes in _MINUTES.items():
        window = _part(limits, name)
        used, resets = _number(window.get("used_percentage")), _number(window.get("resets_at"))
        if used is not None:
            until = None if resets is None else int(resets * 1e6)
            yield {
                "agent": _AGENT,
                "minutes": minutes,
                "used_percent": used,
                "resets_at": until,
                "at": int(now * 1e6),
            }


def _keep(folder: Path, windows: list[dict[str, Any]]) -> None:
    """Atomically, as several sessions may be told at once; where that cannot be, the line is printed all the same."""
    part = folder / f".{_WINDOWS_FILE}.{os.getpid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.write_text(json.dumps(windows))
        part.replace(folder / _WINDOWS_FILE)


def _model(told: dict[str, Any]) -> str:
    name = _part(told, "model").get("display_name")
    return "".join(filter(str.isprintable, name))[:_LONGEST] if isinstance(name, str) else ""


def _session(told: dict[str, Any], is_plan: bool) -> str:
    """What Claude Code says that its session cost: under a plan that is no money."""
    cost = _number(_part(told, "cost").get("total_cost_usd"))
    return "" if cost is None else f"session {'~' * is_plan}{Usd(round(cost * 1e9))}"


def _today(folder: Path, now: float) -> str:
    """From the file that the collector keeps beside the default store. What it left there may be another day's."""
    try:
        status = _object((folder / _STATUS_FILE).read_bytes())
    except OSError:
        return ""
    if now - _count(status, "at") / 1e6 > _STALE_SECONDS:
        return "spendtop: not recording"
    nano, requests, unpriced = (_count(_part(status, "today"), name) for name in ("nano", "requests", "unpriced"))
    plan = _count(_part(status, "api_equivalent"), "nano")
    words = [cost_words(known_cost(Usd(nano), requests, unpriced), unpriced)] if requests else []
    words += [f"{equivalent_words(Usd(plan))} plan"] if plan else []
    return f"today {' '.join(words)}" if words else ""


def _count(sums: dict[str, Any], name: str) -> int:
    count = sums.get(name)
    return count if type(count) is int and count >= 0 else 0


def _used(window: dict[str, Any], now: float) -> str:
    """`5h 42% until 14:00`."""
    name = "5h" if window["minutes"] == _MINUTES["five_hour"] else "7d"
    words = f"{name} {window['used_percent']:.0f}%"
    if window["resets_at"] is None:
        return words
    ends = window["resets_at"] / 1e6
    return f"{words} until {time.strftime('%H:%M' if ends - now < 86_400 else '%m-%d %H:%M', time.localtime(ends))}"
