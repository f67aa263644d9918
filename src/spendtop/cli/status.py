"""`spendtop status`: one line from the file that the collector keeps beside the store. Imports next to nothing."""

from __future__ import annotations

import json
import string
import sys
import time
from pathlib import Path
from typing import Any

from spendtop.cli.options import Options
from spendtop.cli.status_file import status_file
from spendtop.domain.errors import ExitCode, UsageError, nearest
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import clean_line

_STALE_SECONDS = 90
"""The collector writes the file at least every 30 s."""
_CODES = {"ok": ExitCode.OK, "approaching": ExitCode.APPROACHING, "exceeded": ExitCode.EXCEEDED}
_STALE = "stale"
_KEYS = frozenset({"at", "today", "hour", "limits"})


def run(options: Options) -> int:
    """Print the line and tell by the exit code how the limits stand."""
    path = status_file(options)
    found = _read(path)
    age = max(0, int(time.time() - found["at"] / 1e6))
    state = max((limit["state"] for limit in found["limits"]), key=list(_CODES).index, default="ok")
    if options.arguments.json:
        text = json.dumps(_answer(found, age, state), ensure_ascii=True)
    else:
        words = _words(found, age, state)
        text = _filled(options.arguments.line, words) if options.arguments.line else _line(found, words)
    sys.stdout.write(f"{text}\n")
    return _CODES[state]


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        if not found.keys() >= _KEYS:
            raise ValueError("incomplete")
        return found
    except FileNotFoundError:
        raise UsageError("No collector has run on this store yet. Start `spendtop`.") from None
    except (OSError, ValueError, AttributeError):
        raise UsageError(f"The status file {path} cannot be read. Delete it; the collector writes it anew.") from None


def _is_collecting(found: dict[str, Any], age: int) -> bool:
    return found.get("collecting", True) and age <= _STALE_SECONDS


def _words(found: dict[str, Any], age: int, state: str) -> dict[str, str]:
    """What a format can name."""
    worst = _worst(found)
    name = "" if worst is None else " ".join(filter(None, (worst["name"], worst["entity"])))
    return {
        "today": _money(found["today"]),
        "hour": _money(found["hour"]),
        "unpriced": str(found["today"]["unpriced"]),
        "requests": str(found["today"]["requests"]),
        "worst": "" if worst is None else f"{worst['used_nano'] * 100 // worst['limit_nano']}%",
        "worst_name": clean_line(name),
        "state": state if _is_collecting(found, age) else _STALE,
        "age": _duration(age),
    }


def _worst(found: dict[str, Any]) -> dict[str, Any] | None:
    """The limit that is used most, as a share of its amount."""
    return max(found["limits"], key=lambda limit: limit["used_nano"] / limit["limit_nano"], default=None)


def _line(found: dict[str, Any], words: dict[str, str]) -> str:
    parts = [f"{words['today']} today", f"{words['hour']} last hour"]
    if found["limits"]:
        parts.append(f"{words['worst_name']} {words['worst']}")
        state = max((limit["state"] for limit in found["limits"]), key=list(_CODES).index)
        parts += [state] if state != "ok" else []
    if words["state"] == _STALE:
        parts.append(f"{words['age']} old: nobody collects")
    return " · ".join(parts)


def _filled(line: str, words: dict[str, str]) -> str:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(line) if name is not None]
        for name in names:
            if name not in words:
                raise UsageError(f"--line knows no {{{clean_line(name)}}}{_hint(name, list(words))}")
        return line.format(**words)
    except ValueError:
        raise UsageError("--line has a brace without its partner. Write {{ for a brace itself.") from None


def _hint(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f". Did you mean {{{near}}}?" if near else f"; it knows {', '.join(f'{{{each}}}' for each in known)}."


def _money(sums: dict[str, Any]) -> str:
    return str(Usd(sums["nano"])) + (f" + {sums['unpriced']} unpriced" if sums["unpriced"] else "")


def _duration(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _answer(found: dict[str, Any], age: int, state: str) -> dict[str, Any]:
    return {
        "at": found["at"],
        "age_s": age,
        "collecting": _is_collecting(found, age),
        "url": found["url"],
        "state": state,
        **{name: _sums(found[name]) for name in ("today", "hour")},
        "limits": [
            {
                "name": limit["name"],
                "entity": limit["entity"],
                "state": limit["state"],
                **_usd("used", limit["used_nano"]),
                **_usd("limit", limit["limit_nano"]),
                "unpriced": limit["unpriced"],
            }
            for limit in found["limits"]
        ],
    }


def _sums(sums: dict[str, Any]) -> dict[str, Any]:
    return {**_usd("cost", sums["nano"]), "unpriced": sums["unpriced"], "requests": sums["requests"]}


def _usd(name: str, nano: int) -> dict[str, Any]:
    return {f"{name}_usd": float(Usd(nano).dollars), f"{name}_nanousd": nano}
