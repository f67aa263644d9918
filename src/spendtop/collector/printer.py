"""The headless face: a banner, then a line per request and per alert."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, TextIO

from spendtop.collector.process.line_times import is_journal, line_time
from spendtop.collector.supervisor import pause, wait_for_any
from spendtop.domain.alerting.episode import Message, MessageKind, headline
from spendtop.domain.clock import Clock, to_iso
from spendtop.domain.cost_words import cost_words, equivalent_words, use_words
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request
from spendtop.domain.untrusted import MESSAGE_LIMIT, SENTENCE_LIMIT, clean_line
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.recording.transaction import Outcome
from spendtop.store.engine import Store
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.present import spent_last_hour
from spendtop.store.transactions import read

_BREATH = 0.2
"""Seconds between two looks at the last hour while requests keep coming."""
_MOST_LINES_WAITING = 10_000
_GONE = (errno.EPIPE, errno.EIO)
"""What writing to a pipe or a terminal says once nobody reads it any more."""
_log = logging.getLogger(__name__)


class Printer:
    """Prints what happened, as text for people or as JSON lines for machines."""

    def __init__(self, store: Store, clock: Clock, as_json: bool, out: TextIO | None = None) -> None:
        self._store = store
        self._clock = clock
        self._since = clock()
        self._json = as_json
        self._out: TextIO | None = out if out is not None else sys.stdout
        self._is_journal = _is_journal(self._out)
        self._requests: deque[Request] = deque(maxlen=_MOST_LINES_WAITING)
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def banner(self, facts: Sequence[tuple[str, str]]) -> None:
        """What runs here: a line per fact."""
        if self._json:
            self._write({"event": "started", **{name.lower().replace(" ", "_"): value for name, value in facts}})
            return
        facts = (("Started", line_time(self._since)), *facts)
        width = max(len(name) for name, _ in facts)
        self._print([f"  {name:<{width}}  {value}" for name, value in facts])

    def say(self, sentence: str) -> None:
        """One sentence about the collector itself."""
        if self._json:
            self._write({"event": "notice", "message": sentence})
        else:
            self._tell([sentence])

    def recorded(self, outcomes: Sequence[Outcome]) -> None:
        """Requests that are new; those that arrived before our start are history. Called in the writer's thread."""
        requests = (outcome.request for outcome in outcomes)
        new = [request for request in requests if request is not None and request.received_at >= self._since]
        if new and self._loop is not None:
            self._requests.extend(new)
            if not self._news.is_set():  # cleared before what waits is taken, so that nothing is left behind
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._news.set)

    def announced(self, announcements: Sequence[Announcement]) -> None:
        """Limits that were crossed, or fell back."""
        for announcement in announcements:
            self._alert(announcement.message)

    async def run(self, stop: asyncio.Event) -> None:
        """Print requests until the stop event, with the last hour's spend read once for all that waited."""
        self._loop = asyncio.get_running_loop()
        while not stop.is_set():
            await wait_for_any(self._news, stop)
            self._news.clear()
            await self._drain()
            await pause(stop, _BREATH)
        await self._drain()

    async def _drain(self) -> None:
        if not self._requests:
            return
        waiting = [self._requests.popleft() for _ in range(len(self._requests))]
        now = self._clock()
        hour = await read(self._store, lambda connection: spent_last_hour(connection, now))
        if self._json:
            self._print([_in_json(_processed(request, hour)) for request in waiting])
            return
        last_hour = _short(hour.known_cost, hour.unpriced)
        self._tell([f"processed {' '.join(_words(request))} · last hour {last_hour}" for request in waiting])

    def _alert(self, message: Message) -> None:
        used, limit = Usd(message.used_nano), Usd(message.limit_nano)
        if self._json:
            self._write(
                {
                    "event": message.kind.value,
                    "limit": message.limit_name,
                    "entity": message.entity,
                    "request": None if message.request is None else str(message.request),
                    "measure": message.measure,
                    "used_usd": float(used.dollars),
                    "limit_usd": float(limit.dollars),
                    "unpriced": message.unpriced,
                    **({"why": why} if (why := _why(message)) else {}),
                }
            )
            return
        name = clean_line(message.limit_name)
        if (about := headline(message, name)) is not None:
            word = {"critical": "ALERT ", "warning": "WARNING "}.get(message.kind.severity, "")
            self._tell([" · ".join(filter(None, (f"{word}{about}{_top(message)}", _why(message))))])
            return
        about = f"request {message.request}" if message.request else clean_line(message.entity, MESSAGE_LIMIT)
        who = f" ({about})" if about else ""
        amounts = use_words(used, message.unpriced, limit, message.measure)
        match message.kind:
            case MessageKind.APPROACHING:
                self._tell([f"WARNING approaching {name}{who}: {amounts}"])
            case MessageKind.EXCEEDED:
                self._tell([f"ALERT {name}{who} exceeded: {amounts}"])
            case _:
                self._tell([f"{message.kind.value.upper()} {name}{who}: {amounts}"])

    def _write(self, value: dict[str, Any]) -> None:
        self._print([_in_json({"at": to_iso(self._clock()), **value})])

    def _tell(self, sentences: Sequence[str]) -> None:
        now = "" if self._is_journal else f"{line_time(self._clock())} "
        self._print([f"{now}{sentence}" for sentence in sentences])

    def _print(self, lines: Sequence[str]) -> None:
        if self._out is None:
            return
        try:
            self._out.write("\n".join(lines) + "\n")
            self._out.flush()
        except OSError as failure:  # collecting goes on
            if failure.errno in _GONE:
                self._fall_silent(self._out)
            else:
                _log.warning("a line could not be printed: %s", failure.strerror)

    def _fall_silent(self, out: TextIO) -> None:
        """Nobody reads us. What is left in the buffer must not fail again when the interpreter ends."""
        self._out = None
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, out.fileno())
        os.close(nowhere)


def _top(message: Message) -> str:
    """Who or what most of it is of: ` · gpt-4o $11.20, o3 $1.20`."""
    each = (f"{clean_line(key, MESSAGE_LIMIT) or '(none)'} {Usd(nano)}" for _, key, nano in message.contributors)
    return f" · {', '.join(each)}" if message.contributors else ""


def _why(message: Message) -> str:
    """Why nothing comes of a source, with the way back; empty for all others."""
    lines = message.lines if message.kind is MessageKind.STALE else ()
    return " ".join(clean_line(line, SENTENCE_LIMIT) for line in lines)


def _is_journal(out: TextIO | None) -> bool:
    try:
        return out is not None and is_journal(out.fileno())
    except OSError:  # it is no file
        return False


def _processed(request: Request, last_hour: Spend) -> dict[str, Any]:
    cost = request.cost.amount
    return {
        "event": "processed",
        "at": to_iso(request.occurred_at),
        "model": request.model,
        "user_id": request.user_id,
        "status": request.status.value,
        "cost_usd": Usd.float_of(cost),
        "cost_nanousd": Usd.nano_of(cost),
        **({"api_equivalent_usd": Usd.float_of(request.cost.api_equivalent)} if request.is_plan else {}),
        "last_hour_usd": Usd.float_of(last_hour.known_cost),
        "last_hour_unpriced": last_hour.unpriced,
    }


def _in_json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True)


def _words(request: Request) -> Iterator[str]:
    yield clean_line(request.model or "(no model)", MESSAGE_LIMIT)
    yield clean_line(request.user_id or "(no user)", MESSAGE_LIMIT)
    yield equivalent_words(request.cost.api_equivalent, _short) if request.is_plan else _short(request.cost.amount)
    if request.status.value != "ok":
        yield request.status.value


def _short(cost: Usd | None, unpriced: int = 0) -> str:
    """A cost in words, its amount without zeros at the end beyond the cents: `$0.002`, `$0.15 + 1 unpriced`."""
    whole, point, rest = cost_words(cost, unpriced).partition(".")
    cents, space, more = rest.partition(" ")
    return f"{whole}{point}{cents.rstrip('0').ljust(2, '0') if point else ''}{space}{more}"
