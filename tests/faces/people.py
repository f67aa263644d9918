"""What people read: commands, the status line, messages, and every screen at the widths of terminals."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator

from textual.pilot import Pilot
from textual.widget import Widget

from spendtop.alerts.message_text import Dispatch, render
from spendtop.tui.app import SpendtopApp
from spendtop.tui.overview.panels import LimitsPanel, TopPanel
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.screens.status import StatusLine
from spendtop.tui.session import AttachedCollector, Session
from spendtop.tui.sessions.screen import SessionsScreen
from spendtop.tui.sessions.session_screen import OneSessionScreen
from spendtop.tui.widgets.canvas import Canvas
from tests.faces.programs import write_status
from tests.faces.said import UNSAID, Said, text
from tests.faces.world import MODELS, SESSIONS, SHADOW, USERS, World
from tests.tui.conftest import opened, until

WIDTHS = (60, 80, 100, 140)


async def commands(world: World) -> dict[str, Said]:
    def table(*words: str) -> list[list[str]]:
        said = world.cli(*words)
        assert not said.err
        return [re.split(r" {2,}", line.strip()) for line in said.out.splitlines()]

    said = {}
    for name, keys in (("model", MODELS), ("user", USERS), ("session", SESSIONS)):
        for key, requests, cost, *_, failed in table("spend", "--since", "today", "--by", name)[2:]:
            if key in keys or key == "total":
                figure = "today" if key == "total" else f"{name} {key}"
                many = 0 if failed == "-" else int(failed)
                said[figure] = text(cost, requests=int(requests.replace(",", "")), failed=many)
    for name, entity, _, used, _, percent, state, unpriced, *_ in table("limit", "list")[1:]:
        whose = name if entity == "everyone" else entity
        said[f"limit {whose}"] = Said(
            cost=used, unpriced=0 if unpriced == "-" else int(unpriced), percent=percent, state=state
        )
    for row in table("token", "list")[1:]:
        said[f"token {row[2]}"] = Said(requests=int(row[-2]))
    (alert,) = [row for row in table("alert", "list")[1:] if row[2] == "gpt"]
    said |= {"alert said": text(alert[5]), "alert now": text(alert[6])}
    *rows, legend = table("requests", "--since", "today", "--limit", "1000")[1:]
    assert (legend[0], sum(row[5] == "$0.250+" for row in rows)) == ("+", 2)
    assert sum(row[5] == "($1.00)" for row in rows) == world.truth["rows shade"].requests
    exact = table("requests", "--since", "today", "--limit", "1000", "--exact")[1:-1]
    assert {"$0.000000001", "$9,999,999.99", "$2.999999999"} <= {row[5] for row in exact}
    for session in SESSIONS:
        first = world.cli("session", session).out.partition(" · ")[0]
        if session == "job-2":
            said[f"session {session} alone"] = text(first.partition(": ")[2])
    return {**said, "rows": Said(requests=len(rows))}


async def status_line(world: World) -> dict[str, Said]:
    await write_status(world)
    today, hour, worst, *_ = world.cli("status").out.strip().split(" · ")
    name, percent = worst.rsplit(" ", 1)
    return {
        "today": text(today),
        "last hour": text(hour),
        f"limit {name.removeprefix('each user ')}": Said(percent=percent),
        "line": text(world.cli("status", "--line", "{today}").out),
    }


async def messages(world: World) -> dict[str, Said]:
    (message,) = [each for each in world.messages if each.limit_name == "gpt"]
    rendered = render(message, Dispatch(sender="build-7", ref="a1b2c3d4"))
    used, percent = rendered.body.splitlines()[1].split(" of ")
    match = re.search(r"\((.*)\)", percent)
    assert match is not None
    return {
        "alert said": text(used, percent=match[1]),
        "alert title": Said(cost=rendered.title.removeprefix("exceeded: gpt ").split(" of ")[0]),
    }


def screens(width: int) -> Callable[[World], Awaitable[dict[str, Said]]]:
    """Every screen at one width."""

    async def look(world: World) -> dict[str, Said]:
        app = SpendtopApp(session(world))
        async with app.run_test(size=(width, 40), notifications=True) as pilot:
            await opened(pilot)
            await pilot.pause()
            said = {**_header(app), **_overview(app)}
            said |= await _requests(pilot, app)
            said |= await _sessions(pilot, app)
        return said

    return look


def session(world: World) -> Session:
    """As in a terminal, on the world's store and clock."""
    return Session(
        connect=lambda progress: world.store,
        clock=world.clock,
        collector=lambda: AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=False),
        stop_collector=lambda: None,
        store_name="prod",
    )


def lines(widget: Canvas) -> Iterator[str]:
    """What it draws, line by line; nothing where it is not shown."""
    if widget.display and widget.size.width and widget.size.height:
        for line in widget.draw(*widget.outer_size):
            yield "".join(piece for piece, _ in line)


def _header(app: SpendtopApp) -> dict[str, Said]:
    (line,) = lines(app.screen.query_one(StatusLine))
    figures = re.search(r"(?:today )?(\$\S+(?: \+ ?[\d ]+(?:\?| unpriced))?)", line)
    assert figures is not None, line
    said = {"today header": text(figures[1])}
    if hour := re.search(r"(\$\S+)/h( \+\d+\?)?", line):
        said["last hour header"] = text(f"{hour[1]}{hour[2] or ''}")
    if worst := re.search(r"(\S+)(?: \S+)* (\S+%|x\d+|>x999)!!(?: \+(\d+)\?)?", line.partition(figures[1])[2]):
        said["limit carol header"] = Said(percent="") if not worst else Said(unpriced=int(worst[3] or 0))
    return said


def _overview(app: SpendtopApp) -> dict[str, Said]:
    said: dict[str, Said] = {}
    for panel, names in (("users", USERS), ("models", MODELS)):
        for line in lines(app.screen.query_one(f"#{panel}", TopPanel)):
            words = line.strip("│ ")
            name = next((name for name in names if words.startswith(name)), None)
            if name is not None:
                said[f"{panel[:-1]} {name}"] = text(words.removeprefix(name))
    for line in lines(app.screen.query_one(LimitsPanel)):
        words = line.strip("│ ")
        row = re.match(r"[X! ]? ?(alice|bob|carol|gpt|single|hourly)\b.*?(\+\d+\?)?[^+%]*?(\S*%|>?x\d+)$", words)
        if row is not None:
            mark = re.search(r"\+(\d+)\?", words)
            used = re.search(r"(\$[\d.,]+[kMB]?)/", words)
            cost = {"cost": used[1]} if used else {}
            said[f"limit {row[1]}"] = Said(unpriced=int(mark[1]) if mark else 0, **cost)
            if not row[3].startswith(">x"):
                said[f"limit {row[1]} percent"] = Said(percent=row[3])
    return said


async def _requests(pilot: Pilot[int], app: SpendtopApp) -> dict[str, Said]:
    said: dict[str, Said] = {}
    for asked in ("", f"token:{SHADOW}"):
        app.list_requests(asked)
        await until(pilot, lambda asked=asked: _is_listed(app, asked))  # type: ignore[misc]
        screen = app.live_screen
        assert isinstance(screen, RequestsScreen)
        counted, cost, *more = "".join(piece for piece, _ in screen.rows.note).split(" · ")
        shadow, failed = (
            sum(int(each.split()[0]) for each in more if each.endswith(what)) for what in ("shadow", "failed")
        )
        rows = re.search(r"of (\d[\d ]*)", _remarks(app))
        assert rows is not None
        assert int(rows[1].replace(" ", "")) == int(counted.replace(" ", "")) + shadow
        if failed:
            said["today listed"] = Said(failed=failed)
        if asked:
            await pilot.press("G")
            await until(pilot, lambda rows=rows: f"row {rows[1]} of {rows[1]}" in _remarks(app))  # type: ignore[misc]
            said |= {"listed shade": text(cost, requests=int(counted)), "rows shade": Said(requests=shadow)}
    return said


def _remarks(app: SpendtopApp) -> str:
    screen = app.live_screen
    assert isinstance(screen, RequestsScreen)
    return "".join(piece for piece, _ in screen.list_pane.remarks())


def _is_listed(app: SpendtopApp, asked: str) -> bool:
    screen = app.live_screen
    if not isinstance(screen, RequestsScreen) or screen.browser.selection.text != asked:
        return False
    return screen.browser.sums is not None and len(screen.rows.note) > 1 and len(screen.browser.listing) > 0


async def _sessions(pilot: Pilot[int], app: SpendtopApp) -> dict[str, Said]:
    await pilot.press("3")
    await until(pilot, lambda: isinstance(app.live_screen, SessionsScreen) and app.live_screen.table.rows)
    await pilot.pause()
    said = {}
    screen = app.live_screen
    assert isinstance(screen, SessionsScreen)
    for line in lines(screen.table):
        words = line.strip("│▌● ")
        if words.startswith("job-2"):
            figures = words.split()
            count = next(place for place, word in enumerate(figures) if word.isdigit())
            cost = " ".join(figures[count + 1 : count + 3])
            said["session job-2"] = text(cost, requests=int(figures[count]))
    screen.table.select("job-2")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.live_screen, OneSessionScreen) and app.live_screen.paths.answer)
    await pilot.pause()
    one = app.live_screen
    assert isinstance(one, OneSessionScreen)
    facts = next(line for line in lines(one.paths) if "request" in line)
    said["session job-2 alone"] = text(facts.partition(" · ")[0], failed=0 if "failed" not in facts else UNSAID)
    return said


def all_lines(app: SpendtopApp) -> Iterator[str]:
    """What the whole screen shows."""
    for widget in app.screen.query(Widget):
        if isinstance(widget, Canvas):
            yield from lines(widget)
