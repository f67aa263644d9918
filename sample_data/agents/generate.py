"""Makes `home.json.gz`: a small home of two coding agents, whose times the demo moves to now.

.venv/bin/python sample_data/agents/generate.py
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""When the home is looked at: all of it happened before."""
DAYS = 10
PROJECTS = {
    "/home/mira/src/checkout": ("main", "fix/rounding", "feat/refunds"),
    "/home/mira/src/mobile-app": ("main", "feat/dark-mode"),
    "/home/mira/src/infra": ("main",),
}
CLAUDE, HELPER, CODEX = ("claude-opus-4-6", "claude-sonnet-4-6"), "claude-haiku-4-5", "gpt-5.1-codex"
_LETTERS = "abcdefghijkmnpqrstuvwxyz0123456789"


class Home:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.files: dict[str, str] = {}

    def fill(self) -> None:
        for day in range(DAYS, -1, -1):
            for _ in range(self._random.randint(2, 4)):
                self._claude(self._begin(day))
            if self._random.random() < 0.6:
                self._codex(self._begin(day))

    def _begin(self, day: int) -> datetime:
        hours = self._random.uniform(0.2, 4 if day == 0 else 9)
        return AT - timedelta(days=day, hours=hours)

    def _claude(self, begin: datetime) -> None:
        """A session, with subagents in every other one."""
        project = self._random.choice([*PROJECTS])
        common = {"cwd": project, "gitBranch": self._random.choice(PROJECTS[project]), "sessionId": self._uuid()}
        folder = f".claude/projects/{project.replace('/', '-')}"
        lines = list(self._answers(common, begin, self._random.randint(4, 18), self._random.choice(CLAUDE)))
        self._write(f"{folder}/{common['sessionId']}.jsonl", lines)
        if self._random.random() < 0.5:
            for _ in range(self._random.randint(1, 2)):
                agent = self._word(8)
                aside = {**common, "isSidechain": True, "agentId": agent}
                answers = list(self._answers(aside, begin + timedelta(minutes=1), self._random.randint(2, 6), HELPER))
                self._write(f"{folder}/{common['sessionId']}/subagents/agent-{agent}.jsonl", answers)

    def _answers(self, common: dict[str, Any], at: datetime, count: int, model: str) -> Iterator[dict[str, Any]]:
        read = self._random.randint(6_000, 14_000)
        for _ in range(count):
            at += timedelta(seconds=self._random.uniform(8, 80))
            if at >= AT:
                return
            written = self._random.randint(200, 4_000)
            usage = {
                "input_tokens": self._random.randint(2, 40),
                "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written,
                "output_tokens": self._random.randint(40, 1_800),
            }
            message = {"id": f"msg_{self._word(22)}", "model": model, "stop_reason": "end_turn", "usage": usage}
            stamp = {"timestamp": _iso(at), "requestId": f"req_{self._word(22)}", "version": "2.1.220"}
            yield {"type": "assistant", **common, **stamp, "message": message}
            read += written

    def _codex(self, at: datetime) -> None:
        thread, project = self._uuid(), self._random.choice([*PROJECTS])
        git = {"branch": self._random.choice(PROJECTS[project])}
        head = {"id": thread, "timestamp": _iso(at), "cwd": project, "git": git, "model_provider": "openai"}
        lines = [
            {"timestamp": _iso(at), "type": "session_meta", "payload": head},
            {"timestamp": _iso(at), "type": "turn_context", "payload": {"model": CODEX, "cwd": project}},
        ]
        total = dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens"), 0)
        for number in range(self._random.randint(3, 9)):
            at += timedelta(seconds=self._random.uniform(10, 60))
            if at >= AT:
                break
            more = (self._random.randint(4_000, 26_000), 3_000, self._random.randint(60, 900), 20)
            total = {name: count + new for (name, count), new in zip(total.items(), more, strict=True)}
            windows = {
                "plan_type": "plus",
                "primary": {"used_percent": 11.0 + 4 * number, "window_minutes": 300, "resets_at": _seconds(at, 3)},
                "secondary": {"used_percent": 34.0, "window_minutes": 10_080, "resets_at": _seconds(at, 80)},
            }
            told = {"type": "token_count", "info": {"total_token_usage": total}, "rate_limits": windows}
            lines.append({"timestamp": _iso(at), "type": "event_msg", "payload": told})
        self._write(f".codex/sessions/rollout-2026-11-30T12-00-00-{thread}.jsonl", lines)

    def _write(self, path: str, lines: list[dict[str, Any]]) -> None:
        self.files[path] = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _word(self, length: int) -> str:
        return "".join(self._random.choices(_LETTERS, k=length))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(at: datetime, hours: int) -> int:
    return int((at + timedelta(hours=hours)).timestamp())


def main() -> None:
    home = Home(7)
    home.fill()
    text = json.dumps({"at": _iso(AT), "files": home.files}, separators=(",", ":"))
    Path(__file__).with_name("home.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
