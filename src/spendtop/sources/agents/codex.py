"""Codex's rollouts: `~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`, later moved and compressed.

As the openai/codex source writes them (`rollout`, `protocol`), and as ccusage, CodeBurn and tokscale were corrected to
read them. Other programs write the same format there, so its originator does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import DecodeError
from msgspec.json import Decoder

from spendtop.domain.agents.calls import AgentCall
from spendtop.domain.agents.plan_windows import PlanWindow, newest
from spendtop.sources.agents import codex_talk
from spendtop.sources.agents import rollout as rollouts
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.files import found, listed
from spendtop.sources.agents.lines import Wanted, lines
from spendtop.sources.agents.rollout import Rollout, RolloutLine, Vector
from spendtop.sources.agents.talk import Talks
from spendtop.sources.repaired_json import decoded

_FOLDERS = ("sessions", "archived_sessions")


class CodexReader:
    name: ClassVar[str] = rollouts.NAME

    def __init__(self) -> None:
        self._line = Decoder(RolloutLine)
        self.talks: Talks | None = None
        self._threads: dict[Path, dict[str, Path]] = {}
        """Where the files of a root's threads lay when it was last looked through."""
        self.windows: list[PlanWindow] = []
        """What was told last of each of the plan's windows."""
        self._distinct_totals = lru_cache(maxsize=16)(self._read_totals)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        return listed(environment, "CODEX_HOME", home / ".codex")

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        there = {
            file
            for folder in _FOLDERS
            for file in found(root / folder, tally)
            if file.name.startswith("rollout-") and file.name.endswith((".jsonl", ".jsonl.zst"))
        }
        chosen = [each for each in there if each.suffix != ".zst" or each.with_suffix("") not in there]
        self._threads[root] = {_thread_of(each): each for each in chosen}
        return iter(chosen)

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        talk = None if self.talks is None else self.talks.of(file, bookmark.offset)
        for line in self._lines(file, rollouts.is_mark if talk is None else _may_matter, bookmark, tally):
            if talk is not None:
                codex_talk.hear(talk, line)
            if not isinstance(bookmark.state, Rollout):
                bookmark.state = msgspec.convert(bookmark.state or {}, Rollout)
            self.windows = newest([*self.windows, *rollouts.windows_of(bookmark.state, line)])
            for call in rollouts.calls_of(bookmark.state, line, lambda thread: self._totals(root, thread), tally):
                if talk is None:
                    yield call
                else:
                    yield talk.told(call)
                    talk.end()

    def _lines(self, file: Path, wanted: Wanted, bookmark: Bookmark, tally: Tally) -> Iterator[RolloutLine]:
        for raw in lines(file, wanted, bookmark, tally):
            try:
                yield decoded(self._line, raw)
            except (DecodeError, RecursionError):
                tally["malformed lines"] += 1

    def _totals(self, root: Path, thread: str) -> Sequence[Vector] | None:
        """The totals that another thread's file holds; None where that is not here any more."""
        if thread not in self._threads.get(root, {}):
            list(self.files(root, Tally()))
        file = self._threads[root].get(thread)
        try:
            return None if file is None else self._distinct_totals(file, file.stat().st_mtime_ns)
        except OSError:
            return None

    def _read_totals(self, file: Path, _modified: int) -> Sequence[Vector]:
        totals: list[Vector] = []
        for line in self._lines(file, rollouts.is_mark, Bookmark(), Tally()):
            payload: Any = line.payload
            if line.type != "event_msg" or not isinstance(payload, dict) or payload.get("type") != "token_count":
                continue
            info = payload.get("info")
            total = rollouts.vector(info.get("total_token_usage")) if isinstance(info, dict) else None
            if total is not None and [total] != totals[-1:]:
                totals.append(total)
        return totals


def _may_matter(line: bytes) -> bool:
    return rollouts.is_mark(line) or codex_talk.may_be_said(line)


def _thread_of(file: Path) -> str:
    return file.name.partition(".")[0][-36:]
