"""Homes as coding agents leave them, and what their calls are."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from spendtop.domain.agents.calls import AgentCall
from spendtop.domain.clock import to_iso
from spendtop.sources.agents import AgentReader
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.call_book import CallBook
from spendtop.sources.registry import READERS

_CASES = Path(__file__).parents[2] / "fixtures" / "coding_agents.json"


@cache
def cases() -> dict[str, dict[str, Any]]:
    cases: dict[str, dict[str, Any]] = json.loads(_CASES.read_text(encoding="utf-8"))
    return cases


def with_files() -> list[str]:
    """Names of the cases that have a home."""
    return [name for name, case in cases().items() if any(file.startswith("home/") for file in case["files"])]


def lay_out(name: str, folder: Path, stage: str = "") -> Path:
    """Write a case's home into a folder, and return it."""
    begin = f"{stage}/home/" if stage else "home/"
    for file, content in cases()[name]["files"].items():
        if file.startswith(begin):
            place = folder / file.removeprefix(begin)
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, content)
    return folder


def _write(place: Path, content: str | dict[str, str]) -> None:
    if isinstance(content, str):
        place.write_text(content, encoding="utf-8")
    elif "sql" in content:
        with sqlite3.connect(place) as database:
            database.executescript(content["sql"])
        database.close()
    else:
        place.write_bytes(base64.b64decode(content["base64"]))


def readers() -> list[AgentReader]:
    return [reader() for reader in READERS.agents.values()]


def read(*homes: Path, tally: Tally | None = None, book: CallBook | None = None) -> CallBook:
    """All calls of homes, in the order of their files' names."""
    tally, book = Tally() if tally is None else tally, CallBook() if book is None else book
    for home in homes:
        for reader in readers():
            for root in reader.roots(home, {}):
                for file in sorted(reader.files(root, tally)):
                    read_file(reader, root, file, book, tally)
    return book


def read_file(
    reader: AgentReader, root: Path, file: Path, book: CallBook, tally: Tally, bookmark: Bookmark | None = None
) -> None:
    for call in reader.calls(file, root, Bookmark() if bookmark is None else bookmark, tally):
        book.add(call)


def written(calls: Iterable[AgentCall]) -> dict[str, dict[str, Any]]:
    """Calls as `expected.json` has them, by their keys."""
    return {_key(call): _written(call) for call in calls}


def expected(name: str, stage: str = "") -> dict[str, dict[str, Any]]:
    told = cases()[name]["expected"]
    records = told["stages"][stage] if stage else told["records"]
    return {record["key"]: _comparable(record) for record in records}


def assert_calls(calls: Iterable[AgentCall], name: str, stage: str = "") -> None:
    """A copied call may stand in any session that it was copied to."""
    have, want = written(calls), expected(name, stage)
    assert have.keys() == want.keys()
    for key, call in have.items():
        sessions = want[key].pop("sessions")
        if call["session"] in sessions:
            call["session"] = want[key]["session"]
        assert want[key].pop("ids") <= call.pop("ids"), key
        assert call == want[key], key


def _key(call: AgentCall) -> str:
    return f"{call.agent.removesuffix('-cli') if call.agent.startswith('copilot') else call.agent}:{call.key}"


def _written(call: AgentCall) -> dict[str, Any]:
    counts = call.counts
    of_an_hour = counts.cache_write_1h or 0
    return {
        "time": to_iso(call.occurred_at),
        "model": call.model,
        "provider": call.provider,
        "prompt": counts.prompt or 0,
        "completion": counts.output or 0,
        "cache_read": counts.cache_read or 0,
        "cache_write_5m": (counts.cache_write or 0) - of_an_hour,
        "cache_write_1h": of_an_hour,
        "reasoning": counts.reasoning,
        "output_final": call.output_final,
        "reported": None if call.reported is None else float(call.reported.dollars),
        "session": call.session,
        "path": call.path,
        "cwd": call.properties.get("project"),
        "branch": call.properties.get("branch"),
        "version": call.properties.get("agent_version"),
        "parent": call.properties.get("parent") if call.agent == "codex" else None,
        "plan": call.properties.get("plan"),
        "speed": "fast" if call.level == "fast" else None,
        "geo": call.geo,
        "searches": call.units.get("web_searches"),
        "ids": {each for each in (call.request_id, call.response_id) if each},
    }


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    properties = record["properties"]
    counts = ("prompt", "completion", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning")
    return {
        "time": record["time"].replace("Z", "000Z"),
        **{name: record[name] for name in ("model", "provider", *counts, "output_final")},
        "reported": record["reported_cost_usd"],
        **{name: record[name] for name in ("session", "path", "cwd", "branch")},
        "version": properties.get("version"),
        "parent": properties.get("parent"),
        "plan": properties.get("plan"),
        "speed": properties.get("speed"),
        "geo": properties.get("inference_geo"),
        "searches": properties.get("web_search_requests"),
        "ids": set(record["aliases"]),
        "sessions": set(record.get("session_any_of", ())),
    }
