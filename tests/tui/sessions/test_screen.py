"""The screen of sessions: the list, standing still, one session with its paths, and what is taken away."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.domain.requests.request import Cost, Status
from spendtop.domain.sources.records import INGEST
from spendtop.tui.app import SpendtopApp
from spendtop.tui.screens.arrangement import Layout
from spendtop.tui.screens.clipboard import Clipboard
from spendtop.tui.selection import time_choice
from spendtop.tui.sessions.screen import SessionsScreen
from spendtop.tui.sessions.session_screen import OneSessionScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, typed, until


@pytest.fixture
def worked(till: Till, clock: SettableClock) -> Till:
    """A verified nightly job with three paths an hour ago, a chat without paths that goes on, an unpriced one."""
    now = clock()
    paths = ("/etl/read", "/etl/read", "/etl/write", "/report")
    nightly = [
        a_request(3600 + 60 * n, now, external_id=f"n{n}", session_id="nightly-1", session_path=path, verified=True)
        for n, path in enumerate(paths)
    ]
    chat = [a_request(10 + n, now, external_id=f"c{n}", session_id="chat-\x1b[2J77", source=INGEST) for n in range(3)]
    lab = a_request(7200, now, session_id="lab", model="custom-7b", cost=Cost())
    till.record(*nightly, *chat, lab, a_request(5, now))
    return till


@pytest.fixture
def face(session_over: Sessions, worked: Till) -> SpendtopApp:
    """The face over three sessions."""
    return SpendtopApp(session_over())


async def shown(pilot: Pilot[int], *keys: str) -> SessionsScreen:
    """The screen with its first figures, after these keys."""
    await opened(pilot, "3")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, SessionsScreen) and app.live_screen.table.rows)
    screen = app.live_screen
    assert isinstance(screen, SessionsScreen)
    await pilot.press(*keys)
    await pilot.pause()
    return screen


async def one(pilot: Pilot[int], *keys: str) -> OneSessionScreen:
    """The nightly session, opened, after these keys."""
    await shown(pilot, "j", "enter")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, OneSessionScreen) and app.live_screen.paths.branches)
    opened_one = app.live_screen
    assert isinstance(opened_one, OneSessionScreen)
    await pilot.press(*keys)
    await pilot.pause()
    return opened_one


def names(screen: SessionsScreen) -> Sequence[str]:
    return [str(row.session) for row in screen.table.rows]


def words(pilot: Pilot[int], name: str) -> list[str]:
    """The words of the first row that names it."""
    line = next(line for line in picture(pilot).splitlines() if name in line)
    return line.strip("│▌● ").split()


async def test_the_session_that_was_active_last_comes_first_with_figures_and_models(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot)
        assert names(screen) == ["chat-␛[2J77", "nightly-1", "lab"]
        assert words(pilot, "nightly-1") == ["nightly-1", "idle", "alice", "4", "$0.0300", "10.1k", "$0.0100", "1h"]
        assert words(pilot, "lab ") == ["lab", "idle", "alice", "1", "1", "unpriced", "2.5k", "-", "2h"]
        assert "●chat-␛[2J77" in picture(pilot)
        assert "● 1 active · 3 · last ▼" in picture(pilot)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (140, 40)])
async def test_nothing_is_wider_than_the_screen(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        screen = await shown(pilot)
        row = next(line for line in picture(pilot).splitlines() if "nightly-1" in line)
        assert row[screen.table.region.right - 1] == "│"
        assert {"4", "$0.0300"} <= set(row.split())
        await pilot.press("j", "enter")
        await until(pilot, lambda: "row 1 of 4" in picture(pilot))
        assert {len(line) for line in picture(pilot).splitlines()} == {size[0]}


async def test_state_and_users_are_shown_and_with_more_room_duration(
    face: SpendtopApp, worked: Till, clock: SettableClock
) -> None:
    last = a_request(3500, clock(), session_id="nightly-1", user_id="zoe", status=Status.ERROR, http_status=500)
    worked.record(last)
    async with face.run_test(size=(140, 40)) as pilot:
        await shown(pilot)
        row = next(line for line in picture(pilot).splitlines() if "nightly-1" in line)
        assert "✗nightly-1" in row
        assert "failed" in row
        assert " +1 " in row
        assert "█    4m " in row
        await until(pilot, lambda: re.search(r"█    4m \S+ +█ ", picture(pilot)))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: " 4m " not in picture(pilot) and "TREND" not in picture(pilot))
        assert "✗nightly-1" in picture(pilot) and "failed" in picture(pilot) and " +1 " in picture(pilot)


async def test_off_the_first_row_the_list_stands_still_and_tells_what_is_new(
    face: SpendtopApp, worked: Till, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "j")
        worked.record(a_request(0, clock(), session_id="fresh"), a_request(1, clock(), session_id="lab"))
        await until(pilot, lambda: "1 new, g to go" in picture(pilot))
        assert names(screen) == ["chat-␛[2J77", "nightly-1", "lab"]
        assert "▌nightly-1" in picture(pilot)
        assert words(pilot, "lab ")[3] == "2"
        await pilot.press("g")
        assert names(screen) == ["fresh", "lab", "chat-␛[2J77", "nightly-1"]
        assert "following" in picture(pilot)
        screen.selection = replace(screen.selection, time=time_choice("2020-01-01"))
        screen.tick()
        await until(pilot, lambda: "following" not in picture(pilot))


async def test_while_it_follows_what_is_active_rises(face: SpendtopApp, worked: Till, clock: SettableClock) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot)
        worked.record(a_request(0, clock(), session_id="lab"))
        await until(pilot, lambda: names(screen)[0] == "lab")
        await pilot.press("F")
        worked.record(a_request(0, clock(), external_id="again", session_id="nightly-1"))
        await until(pilot, lambda: words(pilot, "nightly-1")[3] == "5")
        assert names(screen)[0] == "lab"


async def test_order_and_its_direction(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "o", "c")
        assert names(screen)[0] == "nightly-1"
        assert "COST▼" in picture(pilot)
        await pilot.press("I")
        assert names(screen)[0] == "lab"
        assert "COST▲" in picture(pilot)
        await pilot.press(">")
        assert "TOKENS▼" in picture(pilot)
        await pilot.press("<", "<")
        assert "REQ▼" in picture(pilot)


async def test_a_filter_lists_the_sessions_of_its_requests_and_says_so(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "slash")
        await typed(pilot, "~p /etl/*")
        await pilot.press("enter")
        await until(pilot, lambda: names(screen) == ["nightly-1"])
        assert words(pilot, "nightly-1")[3] == "3"
        assert "figures of the requests that the filter selects" in picture(pilot)
        await pilot.press("slash")
        await typed(pilot, " nonsense:x")
        await pilot.press("enter")
        assert screen.prompt.open
        await pilot.press("escape", "backspace")
        await until(pilot, lambda: len(names(screen)) == 3)


async def test_a_window_of_time_narrows_the_list(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "t", "0")
        await until(pilot, lambda: names(screen) == ["chat-␛[2J77"])
        assert "last 15 minutes" in picture(pilot)


async def test_one_session_shows_its_paths_with_cost_its_models_and_that_it_is_verified(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await one(pilot)
        text = picture(pilot)
        assert "Session nightly-1" in text
        assert "✓ verified" in text
        assert "$0.0300 · 4 requests · 10.1k tokens · $0.0100/min" in text
        assert "gpt-4.1 $0.0300" in text
        assert words(pilot, "all paths")[2:] == ["4", "$0.0300", "10.1k", "100%"]
        assert words(pilot, "├ /etl")[2:5] == ["3", "$0.0225", "7.5k"]
        assert words(pilot, "├ /read")[2:4] == ["2", "$0.0150"]
        assert words(pilot, "└ /report")[2:4] == ["1", "$0.0075"]


@pytest.mark.parametrize("size", [(120, 30), (140, 40)])
async def test_models_of_one_family_are_one_in_the_list_and_in_the_session(
    face: SpendtopApp, worked: Till, clock: SettableClock, size: tuple[int, int]
) -> None:
    names = ("openai/gpt-4.1-2025-04-14", "gpt-4.1", "o3")
    worked.record(*(a_request(number, clock(), model=name, session_id="mix") for number, name in enumerate(names)))
    async with face.run_test(size=size) as pilot:
        await shown(pilot)
        assert words(pilot, "mix ")[-2:] == ["gpt-4.1", "+1"]
        await pilot.press("enter")
        await until(pilot, lambda: "Session mix" in picture(pilot))
        await until(pilot, lambda: "gpt-4.1 $0.0150   o3 $0.0075" in picture(pilot))


async def test_its_requests_are_in_time_order_and_a_path_narrows_them(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await one(pilot)
        times = [row.occurred_at for row in screen.browser.listing]
        assert times == sorted(times)
        assert len(times) == 4
        await pilot.press("]")
        await until(pilot, lambda: "row 1 of 3" in picture(pilot))
        assert "Requests /etl" in picture(pilot)
        await pilot.press("]")
        await until(pilot, lambda: "row 1 of 2" in picture(pilot))
        assert {row.session_path for row in screen.browser.listing} == {"/etl/read"}
        selected = screen.rows.selected
        await pilot.press("[", "[")
        await until(pilot, lambda: "row 3 of 4" in picture(pilot))
        assert screen.rows.selected == selected


async def test_tab_goes_to_the_paths_and_back_to_the_requests(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await one(pilot, "tab", "j", "j")
        await until(pilot, lambda: screen.paths.position == 2)
        await until(pilot, lambda: {row.session_path for row in screen.browser.listing} == {"/etl/read"})
        await pilot.press("tab", "j")
        assert screen.paths.position == 2


async def test_where_the_paths_have_no_room_tab_does_not_lead_to_them(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await one(pilot)
        assert screen.paths in screen.panes
        await pilot.resize_terminal(80, 15)
        await until(pilot, lambda: screen.paths not in screen.panes)
        await until(pilot, lambda: "tab pane" not in picture(pilot).splitlines()[-1])


async def test_where_the_paths_have_no_room_the_list_says_which_session_it_is_of(face: SpendtopApp) -> None:
    async with face.run_test(size=(60, 15)) as pilot:
        await one(pilot)
        await until(pilot, lambda: "Requests nightly-1 " in picture(pilot))


async def test_a_session_without_paths_is_a_flat_list_and_tells_whose_costs_they_are(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "enter")
        await until(pilot, lambda: "row 1 of 3" in picture(pilot))
        text = picture(pilot)
        assert "0 of 3 costs by Helicone" in text
        assert "✓ verified" not in text
        assert "all paths" not in text
        assert "] path" not in text


async def test_enter_shows_the_request_and_q_goes_back_step_by_step(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await one(pilot, "enter")
        await until(pilot, lambda: "Ticket" in picture(pilot))
        assert screen.layout_shown is Layout.DETAIL
        await pilot.press("q")
        await until(pilot, lambda: "all paths" in picture(pilot))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(face.live_screen, SessionsScreen))
        assert "▌nightly-1" in picture(pilot)


async def test_digits_lead_elsewhere_from_an_open_session_and_back_to_it(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await one(pilot, "2")
        await until(pilot, lambda: face.current_mode == "requests")
        await pilot.press("3")
        await until(pilot, lambda: face.live_screen is screen)


async def test_what_arrives_in_an_open_session_is_announced_and_moves_nothing(
    face: SpendtopApp, worked: Till, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await one(pilot)
        where = {"session_id": "nightly-1", "session_path": "/report"}
        fresh = a_request(0, clock() + SECOND, external_id="new", source=INGEST, **where)
        worked.record(fresh)
        await until(pilot, lambda: "1 new, G to go" in picture(pilot))
        assert "4 of 5 costs by Helicone" in picture(pilot)
        assert words(pilot, "└ /report")[2] == "2"
        await pilot.press("G")
        await until(pilot, lambda: "row 5 of 5" in picture(pilot))


async def test_copy_gives_the_id_or_the_table(face: SpendtopApp, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(Clipboard, "copy", lambda self, text: copied.append(text))
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "j", "y", "i", "y", "t")
        await until(pilot, lambda: len(copied) == 2)
    assert copied[0] == "nightly-1"
    lines = copied[1].splitlines()
    assert [line.split("\t")[0] for line in lines] == ["session_id", "chat-␛[2J77", "nightly-1", "lab"]


def written(folder: Path, ending: str) -> str:
    """The only file of sessions."""
    (file,) = folder.glob(f"spendtop-sessions-*.{ending}")
    return file.read_text()


@pytest.mark.parametrize(("key", "ending"), [("c", "csv"), ("l", "jsonl")])
async def test_export_writes_every_session_that_is_selected(
    face: SpendtopApp, tmp_path: Path, key: str, ending: str
) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot, "x", key)
        await until(pilot, lambda: "3 sessions in" in said(pilot))
    text = written(tmp_path, ending)
    lines = text.splitlines()
    if ending == "csv":
        rows = list(csv.DictReader(lines))
        assert [(row["session_id"], row["requests"], row["cost_usd"]) for row in rows][1:] == [
            ("nightly-1", "4", "0.03"),
            ("lab", "1", ""),
        ]
    assert "\x1b" not in text


async def test_a_store_without_sessions_says_how_to_get_one(till: Till, session_over: Sessions) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "3")
        await until(pilot, lambda: "no session yet: send Helicone-Session-Id" in picture(pilot))
        assert "enter open" not in picture(pilot)


async def test_scrolling_to_the_end_brings_older_sessions(
    till: Till, session_over: Sessions, clock: SettableClock
) -> None:
    now = clock()
    till.record(*(a_request(n, now - HOUR + MINUTE, session_id=f"s{n:03}") for n in range(120)))
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot)
        assert len(screen.table.rows) == 100
        assert "100+ · last" in picture(pilot)
        await pilot.press("G")
        await until(pilot, lambda: len(screen.table.rows) == 120)
        assert screen.table.row is not None
        assert screen.table.row.session == "s099"
