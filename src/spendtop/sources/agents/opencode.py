"""opencode's messages: rows of `~/.local/share/opencode/opencode*.db`, before version 1.2 a JSON file each.

As tokscale, ccusage and CodeBurn read them. Moving from files to the database was incomplete, so both are read. Forks
copy messages under new ids with their times and counts; costs are worked out by opencode and 0 under plans.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from msgspec import DecodeError, Struct, field
from msgspec.json import Decoder

from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.billers import biller_named
from spendtop.domain.usage.counts import count
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.fields import dollars, instant, text
from spendtop.sources.agents.files import document, found, listed, stamp_at
from spendtop.sources.repaired_json import decoded

BUSY_SECONDS = 1
"""How long a database that is being written is waited for; it is read later then."""
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_OLD_ROWS = "SELECT rowid, id, session_id, data FROM message WHERE rowid > ? ORDER BY rowid"
_NEW_ROWS = (
    "SELECT rowid, id, session_id, data FROM session_message WHERE rowid > ? AND type = 'assistant' ORDER BY rowid"
)
_SESSIONS = "SELECT id, parent_id, time_created FROM session"
_LOOKED_AT_AGAIN = 1000
"""Rows before the last one that are looked at again: answers are written while they come in."""
_LONGEST_MESSAGE = 1 << 20


class _OpencodeMessage(Struct, frozen=True):
    id: Any = None
    session: Any = field(name="sessionID", default=None)
    role: Any = None
    model: Any = field(name="modelID", default=None)
    provider: Any = field(name="providerID", default=None)
    cost: Any = None
    tokens: Any = None
    time: Any = None
    path: Any = None


class OpencodeReader:
    name: ClassVar[str] = "opencode"

    def __init__(self) -> None:
        self._message = Decoder(_OpencodeMessage)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
        return listed(environment, "OPENCODE_DATA_DIR", data / "opencode")

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        yield from (each for each in root.glob("opencode*.db") if each.is_file())
        yield from (each for each in found(root / "storage" / "message", tally) if each.suffix == ".json")

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        if file.suffix == ".json":
            message = document(file, self._message, bookmark, tally)
            if message is not None:
                yield from _calls_of(message, file.stem, file.parent.name, {}, tally)
            return
        stamp = stamp_at(file)
        try:
            yield from self._rows(file, bookmark, tally)
        except sqlite3.Error as error:
            is_busy = "locked" in str(error) or "busy" in str(error)
            tally["databases in use" if is_busy else "damaged databases"] += 1
            return
        bookmark.settle(stamp)

    def _rows(self, file: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        uri = f"file:{quote(str(file))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            connection.text_factory = bytes
            tables = {name.decode() for (name,) in connection.execute(_TABLES)}
            sessions = _sessions(connection) if "session" in tables else {}
            for table, query in (("message", _OLD_ROWS), ("session_message", _NEW_ROWS)):
                if table in tables:
                    yield from self._messages(connection, table, query, sessions, bookmark, tally)
            if not tables & {"message", "session_message"}:
                tally["databases without a table of messages"] += 1

    def _messages(
        self,
        connection: sqlite3.Connection,
        table: str,
        query: str,
        sessions: Mapping[str, dict[str, Any]],
        bookmark: Bookmark,
        tally: Tally,
    ) -> Iterator[AgentCall]:
        seen = bookmark.state if isinstance(bookmark.state, dict) else {}
        after = (count(seen.get(table)) or 0) - _LOOKED_AT_AGAIN
        for number, name, session, data in connection.execute(query, (after,)):
            bookmark.state = seen = {**seen, table: number}
            if not isinstance(data, bytes) or b'"tokens"' not in data or len(data) > _LONGEST_MESSAGE:
                continue
            try:
                message = decoded(self._message, data)
            except (DecodeError, RecursionError):
                tally["malformed rows"] += 1
                continue
            yield from _calls_of(message, _written(name), _written(session), sessions, tally)


def _sessions(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """By id: its parent and when it began."""
    rows = connection.execute(_SESSIONS)
    return {_written(name): {"parent": _written(parent), "created": created} for name, parent, created in rows}


def _written(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


def _calls_of(
    message: _OpencodeMessage, name: str, session: str, sessions: Mapping[str, dict[str, Any]], tally: Tally
) -> Iterator[AgentCall]:
    times = message.time if isinstance(message.time, dict) else {}
    created_at, completed_at = instant(times.get("created")), instant(times.get("completed"))
    if message.role not in ("assistant", None) or not isinstance(message.tokens, dict) or created_at is None:
        return
    counts = _counts(message.tokens)
    if not counts.is_used:
        tally["answers without usage"] += 1
        return
    told = sessions.get(session, {})
    parent = text(told.get("parent"))
    provider, model = text(message.provider), text(message.model)
    folder = text(message.path.get("cwd")) if isinstance(message.path, dict) else None
    properties = {"project": folder, "parent": parent}
    content = (created_at, completed_at, provider, model, *_parts(counts))
    yield AgentCall(
        agent=OpencodeReader.name,
        key=text(message.id) or name,
        aliases=frozenset() if completed_at is None else frozenset({":".join(str(each) for each in content)}),
        occurred_at=created_at,
        begun_at=instant(told.get("created")) or created_at,
        provider=biller_named(provider),
        model=model,
        counts=counts,
        output_final=completed_at is not None,
        reported=dollars(message.cost),
        session=text(message.session) or session,
        path="/" if parent is None else "/subagent",
        properties={each: value for each, value in properties.items() if value is not None},
    )


def _parts(counts: Counts) -> tuple[int | None, ...]:
    return counts.fresh, counts.cache_read, counts.cache_write, counts.output, counts.reasoning


def _counts(tokens: dict[str, Any]) -> Counts:
    cache = tokens.get("cache")
    cache = cache if isinstance(cache, dict) else {}
    output, reasoning = count(tokens.get("output")), count(tokens.get("reasoning"))
    return Counts(
        fresh=count(tokens.get("input")),
        cache_read=count(cache.get("read")),
        cache_write=count(cache.get("write")),
        output=None if output is None else output + (reasoning or 0),
        reasoning=reasoning,
    )
