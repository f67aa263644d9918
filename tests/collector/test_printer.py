from __future__ import annotations

import asyncio
import errno
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from spendtop.collector.printer import Printer
from spendtop.collector.process.line_times import line_time
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request
from spendtop.services.alerting.announcements import Announcement
from tests.collector.conftest import Bench
from tests.e2e.processes import untimed
from tests.waiting import soon

HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202e\x9b1m\x00[/nope]\nprocessed fake"


def announcement(kind: MessageKind, used: str = "4.80", **fields: Any) -> Announcement:
    values = {"limit_name": "hourly", "used_nano": Usd.of(used).nano, "limit_nano": Usd.of(5).nano, **fields}
    return Announcement(None, 1, 1, Message(kind=kind, **values))


@asynccontextmanager
async def printing(bench: Bench, as_json: bool = False) -> AsyncIterator[io.StringIO]:
    out, stop = io.StringIO(), asyncio.Event()
    printer = Printer(bench.store, bench.clock, as_json, out)
    bench.start()
    bench.recorded.append(lambda: printer.recorded(bench.outcomes[-1:]))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(printer.run(stop))
        await asyncio.sleep(0)
        yield out
        stop.set()
        await task


async def printed(bench: Bench, *requests: Request, as_json: bool = False) -> list[str]:
    async with printing(bench, as_json) as out:
        for number, request in enumerate(requests, 1):
            bench.record(request)
            await soon(lambda wanted=number: out.getvalue().count("\n") == wanted)  # type: ignore[misc]
    return untimed(out.getvalue())


async def test_a_request_is_one_line(bench: Bench) -> None:
    assert await printed(bench, bench.request(0.148), bench.request(0.002, user_id="alice")) == [
        "processed gpt-4o ann $0.148 · last hour $0.148",
        "processed gpt-4o alice $0.002 · last hour $0.15",
    ]


async def test_what_is_unknown_is_never_a_zero(bench: Bench) -> None:
    unknown = bench.request(None, model=None, user_id=None)
    assert await printed(bench, bench.request(1.0), unknown) == [
        "processed gpt-4o ann $1.00 · last hour $1.00",
        "processed (no model) (no user) unpriced · last hour $1.00 + 1 unpriced",
    ]


async def test_hostile_names_stay_one_clean_line(bench: Bench) -> None:
    (line,) = await printed(bench, bench.request(1.0, model=HOSTILE, user_id=HOSTILE))
    assert line.isprintable()
    assert line.startswith("processed ")


async def test_machines_read_a_request_as_json(bench: Bench) -> None:
    (line,) = await printed(bench, bench.request(0.002, user_id=HOSTILE), as_json=True)
    assert line.isascii() and line.isprintable()
    assert json.loads(line) == {
        "event": "processed",
        "at": "2026-11-20T14:03:07.250000Z",
        "model": "gpt-4o",
        "user_id": HOSTILE.replace("\x00", "␀"),
        "status": "ok",
        "cost_usd": 0.002,
        "cost_nanousd": 2_000_000,
        "last_hour_usd": 0.002,
        "last_hour_unpriced": 0,
    }


async def test_an_unknown_cost_is_null_for_machines(bench: Bench) -> None:
    (line,) = await printed(bench, bench.request(None, model="unheard-of"), as_json=True)
    said = json.loads(line)
    assert (said["cost_usd"], said["cost_nanousd"], said["last_hour_unpriced"]) == (None, None, 1)


async def test_duplicates_and_history_are_not_printed(bench: Bench) -> None:
    request = bench.request(1.0)
    old = bench.request(1.0, received_at=bench.clock() - 1)
    async with printing(bench) as out:
        bench.record(old)
        bench.record(request)
        bench.record(request)
        bench.record(bench.request(2.0))
        await soon(lambda: "$2.00" in out.getvalue())
    assert len(out.getvalue().splitlines()) == 2


def lines(bench: Bench, *announcements: Announcement, as_json: bool = False) -> list[str]:
    out = io.StringIO()
    Printer(bench.store, bench.clock, as_json, out).announced(announcements)
    return untimed(out.getvalue())


def test_a_threshold_is_one_line(bench: Bench) -> None:
    assert lines(
        bench,
        announcement(MessageKind.APPROACHING),
        announcement(MessageKind.EXCEEDED, "5.20"),
        announcement(MessageKind.RESOLVED, "0.15"),
        announcement(MessageKind.EXCEEDED, "5.20", each="user", entity="ann\x1b[2J", unpriced=3),
    ) == [
        "WARNING approaching hourly: $4.80 of $5.00",
        "ALERT hourly exceeded: $5.20 of $5.00",
        "RESOLVED hourly: $0.15 of $5.00",
        "ALERT hourly (ann␛[2J) exceeded: $5.20 + 3 unpriced of $5.00",
    ]


def test_machines_read_a_threshold_as_json(bench: Bench) -> None:
    (line,) = lines(bench, announcement(MessageKind.EXCEEDED, "5.20", entity="ann", unpriced=2), as_json=True)
    assert json.loads(line) == {
        "at": "2026-11-20T14:03:07.250000Z",
        "event": "exceeded",
        "limit": "hourly",
        "entity": "ann",
        "request": None,
        "measure": "spend",
        "used_usd": 5.2,
        "limit_usd": 5.0,
        "unpriced": 2,
    }


def test_the_banner_is_a_line_per_fact(bench: Bench) -> None:
    facts = [("Listening", "http://127.0.0.1:8000"), ("Stop", "Ctrl+C stops")]
    now, at = line_time(bench.clock()), '{"at": "2026-11-20T14:03:07.250000Z", '
    for as_json, expected in (
        (
            False,
            f"  Started    {now}\n  Listening  http://127.0.0.1:8000\n  Stop       Ctrl+C stops\n{now} said\n",
        ),
        (
            True,
            f'{at}"event": "started", "listening": "http://127.0.0.1:8000", "stop": "Ctrl+C stops"}}\n'
            f'{at}"event": "notice", "message": "said"}}\n',
        ),
    ):
        out = io.StringIO()
        printer = Printer(bench.store, bench.clock, as_json, out)
        printer.banner(facts)
        printer.say("said")
        assert out.getvalue() == expected


def test_lines_for_the_journal_have_no_time_of_their_own(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w+") as journal:
        there = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        Printer(bench.store, bench.clock, False, journal).say("said")
        assert (tmp_path / "journal").read_text() == "said\n"


def test_a_reader_that_is_gone_silences_it_and_nothing_else(bench: Bench) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as out:
        printer = Printer(bench.store, bench.clock, False, out)
        os.close(read)
        printer.say("nobody hears this")
        printer.say("nor this")


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_costs_a_line_only(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    out = FullDisk()
    printer = Printer(bench.store, bench.clock, False, out)
    printer.say("one")
    printer.say("two")
    assert untimed(out.getvalue()) == ["one", "two"]
    assert "No space left on device" in caplog.text


def test_without_a_stdout_it_is_silent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    Printer(bench.store, bench.clock, False).say("nobody hears this")


@pytest.mark.parametrize(
    ("kind", "resolves", "line"),
    [
        (MessageKind.LOW_BALANCE, None, "ALERT low balance: openai $9.99 of $10.00"),
        (MessageKind.RESOLVED, MessageKind.LOW_BALANCE, "resolved: low balance openai $9.99 of $10.00"),
        (MessageKind.STALE, None, "WARNING stale data: openai"),
        (MessageKind.RESOLVED, MessageKind.STALE, "resolved: stale data openai"),
    ],
)
def test_accounts_speak_in_a_line(bench: Bench, kind: MessageKind, resolves: MessageKind | None, line: str) -> None:
    out = io.StringIO()
    said = Message(
        kind=kind, resolves=resolves, limit_name="openai", used_nano=9_996_000_000, limit_nano=10_000_000_000
    )
    Printer(bench.store, bench.clock, False, out).announced([Announcement(None, 1, 1, said)])
    assert untimed(out.getvalue()) == [line]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_source_that_brings_nothing_says_why_with_the_way_back(bench: Bench, as_json: bool) -> None:
    out = io.StringIO()
    amiss = f"Anthropic's destination is off: {'x' * 300}. `spendtop anthropic connect HOST` switches it on."
    said = Message(kind=MessageKind.STALE, limit_name="anthropic-push", lines=(amiss,))
    Printer(bench.store, bench.clock, as_json, out).announced([Announcement(None, 1, 1, said)])
    if as_json:
        assert json.loads(out.getvalue())["why"] == amiss
    else:
        assert untimed(out.getvalue()) == [f"WARNING stale data: anthropic-push · {amiss}"]


def test_unusual_spend_is_one_line_in_numbers_with_what_it_is_of(bench: Bench) -> None:
    out = io.StringIO()
    said = Message(
        kind=MessageKind.UNUSUAL,
        limit_name="user a\x1bnn",
        used_nano=14_400_000_000,
        limit_nano=1_200_000_000,
        window="within 3 minutes",
        contributors=(("model", "o3\n", 13_200_000_000), ("model", "", 1_200_000_000)),
    )
    Printer(bench.store, bench.clock, False, out).announced([Announcement((), 1, 1, said)])
    [line] = untimed(out.getvalue())
    assert line.startswith("WARNING unusual spend: user a") and "\x1b" not in line
    assert "$14.40 within 3 minutes, 12 times the usual $1.20 · o3" in line and line.endswith("$13.20, (none) $1.20")
