"""Reading what coding agents leave in a home, by the processor's seconds; and how wrong naive readings of it are."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from spendtop.sources.agents.bookmark import Bookmark
from spendtop.sources.agents.scan import Scan, roots_of
from spendtop.sources.registry import READERS
from tests.benchmarks.measuring import Figure, in_turn, say
from tests.benchmarks.workshop import Workshop

_BYTES = 200_000_000
_FILES = 5_000
_GIGABYTE = 1_000_000_000
_DAY = 86_400
_CLAUDE, _CODEX = Path(".claude/projects/p"), Path(".codex/sessions/2026/11/03")


def agent_files(workshop: Workshop) -> list[Figure]:
    """The first look at a home of 200 MB of Claude Code and Codex, and a second one at 5,000 files."""
    home, many = workshop.own("agents") / "home", workshop.own("agents") / "many"
    calls = fill(home)
    for number in range(_FILES):
        _write(many / _CLAUDE / f"{number}.jsonl", [_claude("s", number, 1, 1)])
    looked = _read(many)[1]
    results = in_turn(
        {
            "calls": lambda: _seconds(lambda: _read(home)),
            "second look": lambda: _seconds(lambda: _scan(many, looked).changed()),
        },
        workshop.rounds,
    )
    found = _read(home)[0]
    assert found == calls, f"{found:,} calls are read of {calls:,}"
    for name, count in _naive(home).items():
        say(f"  {name}: {count / _tokens(home):.2f} x the tokens that were used")
    size = sum(file.stat().st_size for file in home.rglob("*.jsonl"))
    per_gigabyte = min(results["calls"]) * _GIGABYTE / size
    return [
        Figure("reading 1 GB of a home", per_gigabyte, 8, True, "s"),
        Figure("a second start with 5,000 files", min(results["second look"]), 0.3, True, "s"),
    ]


def _seconds(work: Callable[[], object]) -> float:
    """Of the processor, as others may keep it busy as well."""
    started = time.process_time()
    work()
    return time.process_time() - started


def _scan(home: Path, bookmarks: dict[str, Bookmark]) -> Scan:
    readers = {name: reader() for name, reader in READERS.agents.items()}
    return Scan(readers, roots_of(readers, {name: [home] for name in readers}, {}), bookmarks)


def _read(home: Path) -> tuple[int, dict[str, Bookmark]]:
    """How many calls there are, and how far all files are read then."""
    bookmarks: dict[str, Bookmark] = {}
    scan, keys = _scan(home, bookmarks), set[str]()
    for changed in scan.changed():
        for part in scan.read(changed):
            keys.update(call.key for call in part.calls)
            if part.bookmark is not None:
                bookmarks[part.path] = msgspec.convert(part.bookmark, Bookmark)
    return len(keys), bookmarks


def fill(home: Path) -> int:
    """Write files of both agents; how many calls they hold."""
    made, chance, calls, size = 0, random.Random(1), 0, 0
    while size < _BYTES:
        lines, total, began = [], 0, chance.randrange(_DAY)
        for turn in range(chance.randrange(20, 120)):
            calls += 1
            if made % 2:
                used = chance.randrange(1_000, 100_000)
                total += used
                lines.append(_said("x" * chance.choice((300, 3_000, 60_000))))
                lines += [_codex(began + 10 * turn, total, used)] * chance.randrange(1, 4)
            else:
                lines.append({"type": "user", "message": {"content": "x" * chance.choice((200, 2_000, 30_000))}})
                lines += [_claude(str(made), turn, block, 3) for block in range(1, 4)]
        if made % 2:
            meta = {"id": str(made), "timestamp": _time(0), "cwd": "/home/mira"}
            size += _write(
                home / _CODEX / f"rollout-{made}.jsonl",
                [{"timestamp": _time(0), "type": "session_meta", "payload": meta}, *lines],
            )
        else:
            size += _write(home / _CLAUDE / f"{made}.jsonl", lines)
        made += 1
    return calls


def _write(file: Path, lines: list[dict[str, Any]]) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.write_text("".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines))


def _time(second: int) -> str:
    return f"2026-11-03T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"


def _claude(session: str, turn: int, block: int, blocks: int) -> dict[str, Any]:
    """One of the lines of an answer, each with all that came so far."""
    message = {
        "id": f"msg_{session}_{turn}",
        "role": "assistant",
        "model": "claude-opus-4-6",
        "content": [{"type": "text", "text": "x" * 600}],
        "stop_reason": "end_turn" if block == blocks else None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 500, "output_tokens": block * 100},
    }
    return {"type": "assistant", "sessionId": session, "timestamp": _time(turn), "message": message, "requestId": "r"}


def _said(text: str) -> dict[str, Any]:
    """A line of a conversation."""
    payload = {"type": "function_call_output", "output": text}
    return {"timestamp": _time(0), "type": "response_item", "payload": payload}


def _codex(second: int, total: int, last: int) -> dict[str, Any]:
    """A total, which is told again and again."""
    usages = {
        name: {"input_tokens": tokens, "cached_input_tokens": 0, "output_tokens": tokens // 10}
        for name, tokens in (("total_token_usage", total), ("last_token_usage", last))
    }
    payload = {"type": "token_count", "info": usages}
    return {"timestamp": _time(second), "type": "event_msg", "payload": payload}


def _usages(home: Path) -> Iterator[tuple[str, str, int, int]]:
    """File, id, tokens so far and tokens of this line, of each line that tells of usage."""
    for file in home.rglob("*.jsonl"):
        for line in file.read_text().splitlines():
            told = json.loads(line)
            if told.get("type") == "assistant":
                usage = told["message"]["usage"]
                yield str(file), told["message"]["id"], sum(usage.values()), sum(usage.values())
            elif told.get("payload", {}).get("type") == "token_count":
                info = told["payload"]["info"]
                total, last = (sum(info[name].values()) for name in ("total_token_usage", "last_token_usage"))
                yield str(file), f"{file}:{total}", total, last


def _tokens(home: Path) -> int:
    largest: dict[str, int] = {}
    for _, name, _, tokens in _usages(home):
        largest[name] = max(largest.get(name, 0), tokens)
    return sum(largest.values())


def _naive(home: Path) -> dict[str, int]:
    """What readers count that take each line, the first one of an id, or only the last one of a file."""
    every, first, final = 0, dict[str, int](), dict[str, int]()
    for file, name, total, tokens in _usages(home):
        every += tokens
        first.setdefault(name, tokens)
        final[file] = total
    return {"every line": every, "the first of an id": sum(first.values()), "the last of a file": sum(final.values())}
