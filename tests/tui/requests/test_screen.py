"""The screen of requests: list, follow, filter, order, marks, detail."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

from textual.pilot import Pilot

from spendtop.domain.clock import SECOND
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost
from spendtop.domain.sources.records import HELICONE_API
from spendtop.tui.app import SpendtopApp
from spendtop.tui.requests.screen import RequestsScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, typed, until


async def listed(pilot: Pilot[int]) -> RequestsScreen:
    """The screen with its sixty rows."""
    await opened(pilot, "2")
    await until(pilot, lambda: "row 1 of 60" in picture(pilot))
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    screen = app.live_screen
    assert isinstance(screen, RequestsScreen)
    return screen


def lit(pilot: Pilot[int]) -> str:
    """The row under the cursor."""
    return next(line for line in picture(pilot).splitlines() if "▌" in line).split("▌")[1]


async def test_the_seven_columns_are_there_at_every_width(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await listed(pilot)
        for width, columns in (
            (140, "TIME USER MODEL IN OUT CACHE COST ST LAT"),
            (60, "TIME USER MODEL TOK COST ST LAT"),
        ):
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            head = picture(pilot).splitlines()[3]
            assert head.replace("▼", "").split()[1 : 1 + len(columns.split())] == columns.split()


async def test_states_show_as_words_and_letters(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        rows = picture(pilot).splitlines()[4:]
    assert "!429" in rows[3]
    assert "cached" in rows[5]
    assert "unpriced" in rows[11]
    assert "$0.0075" in rows[1]


async def test_minutes_are_divided_by_lines_with_their_sums_on_which_no_cursor_rests(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        lines = picture(pilot).splitlines()
        assert "─ 14:03 · 8 requests · $0.0450 ──" in lines[4]
        assert "─ 14:02 · 52 requests · $0.345 +6? ──" in lines[13]
        await pilot.press(*"jjjjjjjj")
        assert lit(pilot).startswith("14:02:59")
        await pilot.click("#list", offset=(10, 11))
        assert screen.rows.position == 8, "a click on a line between rows moves nothing"
        await pilot.press("I")
        await until(pilot, lambda: lit(pilot).startswith("14:02:08"))
        assert "─ 14:02 · 52 requests" in picture(pilot).splitlines()[4]
        await pilot.press("<")
        await until(pilot, lambda: screen.rows.order != "time" and "row 1 of 60" in picture(pilot))
        assert "52 requests" not in picture(pilot)


async def test_the_title_sums_the_selection_with_its_unpriced(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        assert "60 · $0.390 +6? · 1 failed · time ▼" in picture(pilot)


async def test_the_newest_row_is_followed_until_the_cursor_moves(
    app: SpendtopApp, filled: Till, clock: SettableClock
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        clock.advance(SECOND)
        filled.record(a_request(0, clock(), external_id="new-1", user_id="carol"))
        await until(pilot, lambda: "carol" in picture(pilot).splitlines()[5])
        await pilot.press("j", "j")
        chosen = screen.rows.selected
        before = picture(pilot).splitlines()[5:20]
        clock.advance(SECOND)
        filled.record(*(a_request(0, clock(), external_id=f"newer-{n}", user_id="dave") for n in range(17)))
        await until(pilot, lambda: "17 new, G to go" in picture(pilot))
        assert picture(pilot).splitlines()[5:20] == before
        assert screen.rows.selected == chosen
        await pilot.press("G")
        await until(pilot, lambda: "dave" in picture(pilot).splitlines()[5])
        await pilot.press("j", "F")
        await until(pilot, lambda: "following" in picture(pilot))


async def test_a_list_in_another_order_is_shown_from_its_top(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("j", "j", "j", "I")
        await until(pilot, lambda: "time ▲" in picture(pilot) and "row 1 of 60" in picture(pilot))
        oldest = screen.rows.selected
        await pilot.press("G", "o", "c")
        await until(pilot, lambda: "COST▼" in picture(pilot) and "row 1 of 60" in picture(pilot))
        await pilot.press("j", "j")
        chosen = screen.rows.selected
        await pilot.resize_terminal(60, 15)
        await pilot.pause()
        assert screen.rows.selected == chosen and oldest is not None


async def test_a_correction_changes_its_row_in_place(app: SpendtopApp, filled: Till, clock: SettableClock) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("j")
        corrected = a_request(
            3,
            clock(),
            source=HELICONE_API,
            external_id="external-3",
            cost=Cost(reported=Usd.of("0.777")),
        )
        filled.record(corrected)
        await until(pilot, lambda: "$0.777" in picture(pilot))
        assert "row 2 of 60" in picture(pilot)


async def test_both_ends_of_the_list_are_one_key_away(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("G")
        await until(pilot, lambda: "row 60 of 60" in picture(pilot))
        await pilot.press("g")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        assert screen.rows.position == 0


async def test_a_filter_applies_while_it_is_valid_and_points_at_what_is_not(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("slash")
        await typed(pilot, "~u bob")
        await until(pilot, lambda: "20 requests" in picture(pilot))
        await typed(pilot, " ~cst")
        await until(pilot, lambda: "did you mean '~cost'?" in picture(pilot))
        lines = picture(pilot).splitlines()
        assert lines[-1].index("^") == lines[-2].index("~cst")
        assert screen.browser.selection.text == "~u bob"
        await pilot.press(*["backspace"] * 5, "enter")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot))
        await pilot.press("slash")
        await typed(pilot, "model:none")
        await until(pilot, lambda: screen.browser.selection.text == "~u bob model:none")
        await pilot.press("escape")
        assert screen.browser.selection.text == "~u bob"
        await pilot.press("backspace")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))


async def test_giving_up_after_a_filter_that_was_refused_leads_back_to_the_one_before(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await listed(pilot)
        await pilot.press("slash")
        await typed(pilot, "~u bob")
        await pilot.press("enter", "slash")
        await typed(pilot, " ~cst")
        await pilot.press("enter")
        await until(pilot, lambda: "did you mean '~cost'?" in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot))
        assert screen.browser.selection.text == "~u bob" and not app._notifications


async def test_backspace_drops_the_window_of_time_with_the_filter(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("t", "3")
        await until(pilot, lambda: "nothing matches; backspace shows all again" in picture(pilot))
        await pilot.press("backspace")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        assert not screen.browser.selection.is_narrowed


async def test_a_filter_from_elsewhere_that_is_not_valid_is_said_and_lists_nothing(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await listed(pilot)
        app.list_requests("~cst >1 [x]")
        await until(pilot, lambda: "nothing matches" in picture(pilot))
        (notice,) = app._notifications
        assert "~cst >1 [x] cannot be used" in notice.message and "did you mean '~cost'?" in notice.message
        assert not list(screen.browser.listing) and "~cst >1 [x]" in picture(pilot)
        await pilot.press("backspace")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))


async def test_slash_filters_a_list_and_finds_in_a_detail_alone(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 24)) as pilot:
        await listed(pilot)
        await until(pilot, lambda: "/ filter" in picture(pilot).splitlines()[-1])
        await pilot.press("enter")
        await until(pilot, lambda: "Ticket 0" in picture(pilot))
        assert "/ filter" in picture(pilot).splitlines()[-1]
        await pilot.press("enter")
        await until(pilot, lambda: "/ find" in picture(pilot).splitlines()[-1])
        footer = picture(pilot).splitlines()[-1]
        assert "/ filter" not in footer and "t time" not in footer


async def test_tab_completes_fields_and_seen_values_and_up_brings_back_the_last_filter(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("slash")
        await typed(pilot, "use")
        await pilot.press("tab")
        assert screen.prompt.input.value == "user:"
        await typed(pilot, "bat")
        await pilot.press("tab")
        await until(pilot, lambda: screen.prompt.input.value == "user:batch-ci")
        await pilot.press("enter")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot))
        await pilot.press("backspace", "slash", "up")
        assert screen.prompt.input.value == "user:batch-ci"


async def test_enter_opens_the_detail_and_its_panes(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Ticket 0: the export fails." in picture(pilot))
        assert "cost $0.0075 reported by helicone" in picture(pilot)
        assert "Answer 0: run it again" in picture(pilot)
        await pilot.press("J")
        await until(pilot, lambda: "Ticket 1:" in picture(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: '"messages"' in picture(pilot))
        await pilot.press("tab", "tab")
        await until(pilot, lambda: "external-1" in picture(pilot))
        await pilot.press("q")
        assert "Requests all" in picture(pilot)


async def test_a_text_is_found_in_the_body(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Ticket 0" in picture(pilot))
        await pilot.press("slash")
        await typed(pilot, "bucket")
        await pilot.press("enter")
        await until(pilot, lambda: "find bucket: match 1/1" in picture(pilot))
        assert "n/N next" in picture(pilot)
        await pilot.press("slash", "ctrl+u")
        await typed(pilot, "pail")
        await pilot.press("enter")
        await until(pilot, lambda: "find pail: not found" in picture(pilot))
        assert "n/N next" not in picture(pilot)


async def test_wide_terminals_show_the_detail_beside_the_list(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await listed(pilot)
        await pilot.press("minus")
        await until(pilot, lambda: "Ticket 0:" in picture(pilot))
        assert "Requests all" in picture(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "Ticket 1:" in picture(pilot))
        await pilot.press("minus")
        await pilot.pause()
        assert "Requests all" not in picture(pilot)


async def test_order_and_time_change_what_is_listed(app: SpendtopApp, clock: SettableClock) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "USER▼" in picture(pilot) and "row 1 of 60" in picture(pilot))
        await pilot.press(*["greater_than_sign"] * 3)
        await until(pilot, lambda: "COST▼" in picture(pilot))
        assert screen.browser.selection.order == "cost"
        clock.advance(3600 * SECOND)
        await pilot.press("t", "0")
        await until(pilot, lambda: "last 15 minutes" in picture(pilot) and "nothing matches" in picture(pilot))


def exported(folder: Path) -> set[str]:
    """Ids in the one private file of JSON lines."""
    (path,) = folder.glob("spendtop-requests-*.jsonl")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return {json.loads(line)["external_ids"]["helicone"] for line in path.read_text().splitlines()}


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(path.read_text().splitlines()))


async def test_marked_rows_are_exported_to_a_private_file(app: SpendtopApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot)
        await pilot.press("space", "space")
        assert "2 marked" in picture(pilot)
        await pilot.press("x", "l")
        await until(pilot, lambda: list(tmp_path.glob("spendtop-requests-*.jsonl")))
        await until(pilot, lambda: "2 requests in" in said(pilot))
    assert exported(tmp_path) == {"external-0", "external-1"}


async def test_the_command_line_exports_all_that_is_listed(app: SpendtopApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("colon")
        await typed(pilot, "export csv out.csv")
        await pilot.press("enter")
        await until(pilot, (tmp_path / "out.csv").exists)
    assert len(table(tmp_path / "out.csv")) == 60


async def test_enter_on_the_overview_opens_that_request(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "14:03:06" in picture(pilot))
        await pilot.press("j", "enter")
        await until(pilot, lambda: "Ticket 1:" in picture(pilot))


async def test_a_request_from_another_session_is_reached_without_a_terminal_in_between(
    session_over: Sessions, filled: Till
) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        screen.rows.to(59)
        far = screen.rows.selected
        assert far is not None
        app.open_screen("overview")
        await pilot.pause()
        app.open_request(far)
        await until(pilot, lambda: "Ticket 59:" in picture(pilot))


async def test_a_request_that_is_not_in_the_list_is_opened_and_no_other_one_in_its_place(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        screen.rows.to(3)
        of_alice = screen.rows.selected
        assert of_alice is not None
        app.list_requests("user:bob")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot))
        app.open_request(of_alice)
        await until(pilot, lambda: "Ticket 3:" in picture(pilot) and "row 4 of 60" in picture(pilot))


async def test_columns_stay_where_they_are_when_other_requests_arrive(
    app: SpendtopApp, filled: Till, clock: SettableClock
) -> None:
    async with app.run_test(size=(140, 24)) as pilot:
        await listed(pilot)
        before = picture(pilot).splitlines()[3]
        clock.advance(SECOND)
        filled.record(a_request(0, clock(), external_id="new", token="ci", session_id="s-77", session_path="/a"))
        await until(pilot, lambda: "s-77" in picture(pilot))
        assert picture(pilot).splitlines()[3] == before


async def test_times_keep_their_day_until_the_top_is_in_view_again(
    app: SpendtopApp, filled: Till, clock: SettableClock
) -> None:
    filled.record(a_request(100_000, clock(), external_id="yesterday"))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 61" in picture(pilot))
        today = picture(pilot).splitlines()[3]
        await pilot.press("G")
        await until(pilot, lambda: "row 61 of 61" in picture(pilot) and picture(pilot).splitlines()[3] != today)
        with_day = picture(pilot).splitlines()[3]
        await pilot.press(*["k"] * 25)
        await until(pilot, lambda: "row 36 of 61" in picture(pilot))
        assert picture(pilot).splitlines()[3] == with_day
        await pilot.press("g")
        await until(pilot, lambda: "row 1 of 61" in picture(pilot) and picture(pilot).splitlines()[3] == today)


async def test_long_names_leave_room_for_the_end_of_the_details_title(
    session_over: Sessions, till: Till, clock: SettableClock
) -> None:
    till.record(a_request(0, clock(), user_id="u" * 90, model="m" * 90, cost=Cost(reported=Usd.of("0.5"))))
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 1" in picture(pilot))
        assert "$0.500" in picture(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "$0.500 200 1.9s" in picture(pilot))
        title = next(line for line in picture(pilot).splitlines() if "$0.500 200 1.9s" in line)
    assert "mm…mm" in title and "uu…uu" in title


async def test_one_match_is_one_request(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("slash")
        await typed(pilot, "status:429")
        await until(pilot, lambda: "1 request " in picture(pilot).splitlines()[-1] + " ")


async def test_a_door_leads_to_the_top_of_its_list_whatever_window_of_time_was_chosen(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("j", "j", "j")
        app.list_requests("user:alice")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot))
        await pilot.press("t", "3")
        await until(pilot, lambda: "yesterday" in picture(pilot) and "nothing matches" in picture(pilot))
        app.list_requests("user:bob")
        await until(pilot, lambda: "row 1 of 20" in picture(pilot) and "user:bob" in picture(pilot))


async def test_text_is_searched_in_prompts_and_answers(app: SpendtopApp) -> None:
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        screen = await listed(pilot)
        app.list_requests('~bq "ticket 17:"')
        await until(pilot, lambda: "row 1 of 1 " in picture(pilot))
        app.list_requests("~b ticket")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        await pilot.press("o", "c")
        await until(pilot, lambda: app._notifications)
        assert screen.browser.selection.order == "time"
        await pilot.press("1")
        await until(pilot, lambda: "Spend/10 min today" in picture(pilot))
        assert "only" not in picture(pilot).splitlines()[2]
