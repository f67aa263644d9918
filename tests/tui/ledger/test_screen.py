"""The screen of the ledger: accounts, days and entries, and what is entered there."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection
from textual.pilot import Pilot

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.ledger.used import INPUT_TOKENS, Used, UsedPart
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost
from spendtop.services import checkpoints, tasks
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import applied, keep
from spendtop.store.reads.ledger.accounts import LedgerEvent, events
from spendtop.store.reads.ledger.balances import Account
from spendtop.tui.app import SpendtopApp
from spendtop.tui.ledger.day_dialog import LedgerDayScreen
from spendtop.tui.ledger.entry_desk import CalibrateScreen, LedgerEntryScreen
from spendtop.tui.ledger.screen import LedgerScreen
from tests import accounts
from tests.accounts import OPENAI
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, typed, until

ROUTER = replace(accounts.ROUTER, low_balance=Usd.of(5))
T = TypeVar("T")


def write(store: Store, work: Callable[[Connection], T]) -> T:
    with store.writing() as connection:
        return work(connection)


def configure(store: Store, *accounts: Account) -> None:
    def publish(connection: Connection) -> None:
        known = applied(connection)
        assert known is not None
        keep(connection, replace(known, accounts=accounts))

    write(store, publish)


def bill(connection: Connection, day: int, now: int, *amounts: str, **names: str) -> None:
    parts = tuple(
        CostPart(day=day, amount=Decimal(amount), line_item=f"gpt-4.1, {n}", **names)
        for n, amount in enumerate(amounts)
    )
    used = Used(
        day,
        day,
        (
            UsedPart(day, INPUT_TOKENS, 661_000, api_key=names.get("api_key", "")),
            UsedPart(day, "web searches", 20),
        ),
    )
    ledger.take_costs(connection, "openai", Costs(first_day=day, last_day=day, parts=parts, used=used), now)


@pytest.fixture
def kept(till: Till, store: Store, clock: SettableClock) -> Till:
    """A polled account, calibrated two days ago at $60, with a deposit of $20 yesterday and a restated day; the day
    before yesterday we saw $0.30 + 1 unpriced of $2.30 that were billed. And an account whose provider tells."""
    now = clock()
    today = now // DAY
    configure(store, OPENAI, ROUTER)
    before = [a_request(n, now - 2 * DAY, external_id=f"b{n}", cost=Cost(reported=Usd.of("0.1"))) for n in range(3)]
    unpriced = a_request(9, now - 2 * DAY, external_id="u", model="custom-7b", cost=Cost())
    till.record(*before, unpriced)

    def prepare(connection: Connection) -> None:
        bill(connection, today - 3, now - 3 * DAY, "1.50")
        bill(connection, today - 3, now - 2 * DAY, "1.60")
        bill(connection, today - 2, now - 2 * DAY, "2.00", "0.30", project="proj\x1b[2Jweb", api_key="key_7")
        ledger.calibrate(connection, OPENAI, Usd.of(60), now - 2 * DAY, now - 2 * DAY, "ana")
        ledger.record(connection, "openai", EntryKind.DEPOSIT, Usd.of(20), now - DAY, now - DAY, note="inv\x1b[1m 7")
        bill(connection, today - 1, now, "1.00")
        checkpoints.succeeded(connection, "openai-costs", now - 4 * MINUTE)
        checkpoints.succeeded(connection, "openrouter/router", now)
        ledger.take_balance(connection, "router", Usd.of("3.209"), now)

    write(store, prepare)
    return till


@pytest.fixture
def face(session_over: Sessions, kept: Till) -> SpendtopApp:
    """The face over both accounts."""
    return SpendtopApp(session_over())


async def shown(pilot: Pilot[int], *keys: str) -> LedgerScreen:
    """The screen with its first figures, after these keys."""
    await opened(pilot, "7")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, LedgerScreen) and app.live_screen.chosen)
    screen = app.live_screen
    assert isinstance(screen, LedgerScreen)
    await pilot.press(*keys)
    await pilot.pause()
    return screen


def words(pilot: Pilot[int], name: str) -> list[str]:
    """The words of the first row below the header that names it."""
    line = next(line for line in picture(pilot).splitlines()[1:] if name in line)
    return line.replace("│", " ").replace("▌", " ").split()


def day(clock: SettableClock, back: int) -> str:
    """A UTC day as the screen writes it."""
    from spendtop.domain.clock import to_datetime

    return f"{to_datetime(clock() - back * DAY):%Y-%m-%d}"


def recorded(store: Store) -> tuple[LedgerEvent, ...]:
    """The newest entries."""
    with store.reading() as connection:
        return events(connection, "openai", 20)


async def dialog(pilot: Pilot[int], kind: type[object]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()


async def test_accounts_tell_balance_state_age_burn_and_run_out(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert words(pilot, "openai ")[:7] == ["openai", "$79.00", "est.", "✓", "ok", "4m", "$0.70"]
        assert words(pilot, "openai ")[7].startswith("~20")
        assert words(pilot, "router ") == ["router", "!", "$3.20", "told", "✓", "ok", "now", "-", "-"]
        assert "est. = page 2d ago + entries - billed as of 4m ago" in picture(pilot)
        assert "billed as of 4m ago · ours priced, as of now" in picture(pilot)


async def test_days_show_both_sides_what_is_unpriced_restated_and_calibrated(
    face: SpendtopApp, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert words(pilot, day(clock, 1)) == [day(clock, 1), "$1.00", "$0.00", "0", "!", "+$1.00", "-"]
        assert words(pilot, day(clock, 2))[1:] == ["$2.30", "$0.30", "1", "!", "+$2.00", "666%", "calibrated"]
        assert words(pilot, day(clock, 3))[1:] == ["$1.60", "$0.00", "0", "!", "+$1.60", "-", "restated"]


async def test_entries_are_listed_with_page_drift_note_and_who(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert words(pilot, " deposit ")[2:] == ["deposit", "+$20.00", "inv␛[1m", "7"]
        assert words(pilot, " calibration ")[2:] == ["calibration", "page", "$60.00", "drift", "-", "by", "ana"]


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (140, 40)])
async def test_nothing_is_wider_than_the_screen(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        await shown(pilot)
        lines = picture(pilot).splitlines()
        assert {len(line) for line in lines} == {size[0]}
        assert next(line for line in lines[1:] if "openai " in line).rstrip().endswith("│")
        assert "$79.00 est." in picture(pilot)


async def test_an_account_that_waits_for_its_calibration_says_below_what_it_would_speak(
    till: Till, store: Store, session_over: Sessions
) -> None:
    configure(store, OPENAI)
    async with SpendtopApp(session_over()).run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert "uncalibrated, no alert below $10.00: c enters what the page says is left" in picture(pilot)
        assert ".. no answer" in picture(pilot) and "stale" not in picture(pilot)


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
async def test_without_accounts_it_says_how_to_set_one_up(
    till: Till, session_over: Sessions, size: tuple[int, int]
) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "7")
        await until(pilot, lambda: "No account yet" in picture(pilot))
        assert 'admin_key = "env:OPENAI_ADMIN_KEY"' in picture(pilot)
        assert "c calibrate" not in picture(pilot) and "…" not in picture(pilot)
        await pilot.press("c", "plus", "enter", "x", "j")
        assert isinstance(app.screen, LedgerScreen)


async def test_a_failing_poll_and_a_stale_balance_are_said(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    write(store, lambda connection: checkpoints.failed(connection, "openai-costs", "The key is re\x1bfused.", clock()))
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert "! the last poll gave nothing: The key is re␛fused." in picture(pilot)
        clock.advance(2 * HOUR)
        face.action_redraw()
        assert isinstance(face.live_screen, LedgerScreen)
        face.live_screen.news()
        await until(pilot, lambda: "! stale" in picture(pilot))


async def test_brackets_choose_the_account_and_a_told_balance_has_nothing_to_enter(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "right_square_bracket")
        await until(pilot, lambda: screen.chosen is not None and screen.chosen.account.name == "router")
        await pilot.pause()
        assert "! less than $5.00 is left" in picture(pilot)
        assert "told by the provider" in picture(pilot)
        assert "c calibrate" not in picture(pilot)
        await pilot.press("c", "plus")
        assert face.screen is screen


async def test_tab_goes_to_the_accounts_and_back_to_the_days(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, "tab", "j")
        await until(pilot, lambda: screen.chosen is not None and screen.chosen.account.name == "router")
        assert screen.days.position == 0
        await pilot.press("k")
        await until(pilot, lambda: screen.chosen is not None and screen.chosen.account.name == "openai")
        await pilot.press("tab", "j")
        await until(pilot, lambda: screen.days.position == 1)


async def test_the_cursor_stays_on_its_day(face: SpendtopApp, store: Store, clock: SettableClock) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "j")
        assert f"▌{day(clock, 2)}" in picture(pilot)
        write(store, lambda connection: bill(connection, clock() // DAY, clock(), "0.10"))
        await until(pilot, lambda: day(clock, 0) in picture(pilot))
        assert f"▌{day(clock, 2)}" in picture(pilot)


@pytest.mark.replaces("credit/sync")
async def test_calibrating_shows_the_drift_while_typing_and_records_it(face: SpendtopApp, store: Store) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot, "c")
        await dialog(pilot, CalibrateScreen)
        assert "The ledger predicts $79.00 (estimated)." in picture(pilot)
        assert "Billed costs: as of 4m ago." in picture(pilot)
        await typed(pilot, "78.9")
        await until(pilot, lambda: "Drift -$0.10: spend or an expiry" in picture(pilot))
        assert "! Drift" not in picture(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "openai is calibrated at $78.90" in said(pilot))
        await until(pilot, lambda: "page $78.90" in picture(pilot))
    newest = recorded(store)[0]
    assert (newest.kind, newest.observed, newest.amount) == (EntryKind.CALIBRATION, Usd.of("78.9"), Usd.of("-0.1"))


async def test_a_large_drift_warns_and_suggests_a_deposit(face: SpendtopApp, store: Store) -> None:
    before = len(recorded(store))
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "c")
        await typed(pilot, "$84")
        await until(pilot, lambda: "! Drift +$5.00" in picture(pilot))
        assert "Did you buy credit?" in picture(pilot)
        await typed(pilot, "x")
        await pilot.press("enter")
        assert isinstance(face.screen, CalibrateScreen)
        await pilot.press("escape")
    assert len(recorded(store)) == before


async def test_an_entry_is_recorded_and_u_appends_its_opposite(face: SpendtopApp, store: Store) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert "u undo" not in picture(pilot)
        await pilot.press("n", "e")
        await dialog(pilot, LedgerEntryScreen)
        assert "already included" not in picture(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "An amount of US dollars is needed" in picture(pilot))
        await typed(pilot, "9")
        await pilot.press("tab")
        await typed(pilot, "old grant")
        await pilot.press("enter")
        await until(pilot, lambda: words(pilot, "openai ")[1] == "$70.00")
        await pilot.press("u")
        await until(pilot, lambda: words(pilot, "openai ")[1] == "$79.00")
        await until(pilot, lambda: "u undo" not in picture(pilot).splitlines()[-1])
    undone, expired, *_ = recorded(store)
    assert (expired.kind, expired.amount, expired.note) == (EntryKind.EXPIRY, Usd.of(-9), "old grant")
    assert (undone.kind, undone.amount, undone.note) == (EntryKind.ADJUSTMENT, Usd.of(9), "undoes expiry -$9.00")


async def test_what_cannot_be_recorded_is_said_and_kept_to_be_changed(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "plus", "d")
        await typed(pilot, "-4")
        await pilot.press("enter")
        await until(pilot, lambda: "The amount of a deposit has to be more than zero." in picture(pilot))
        assert "-4" in picture(pilot)


async def test_soon_after_a_calibration_it_asks_whether_the_balance_holds_the_entry(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    now = clock()
    write(store, lambda connection: ledger.calibrate(connection, OPENAI, Usd.of(50), now - 20 * MINUTE, now, "x"))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot, "plus", "d")
        await dialog(pilot, LedgerEntryScreen)
        assert "already included in the balance you typed?" in picture(pilot)
        await typed(pilot, "5")
        await pilot.press("tab", "tab", "space", "enter")
        await until(pilot, lambda: "Recorded: deposit +$5.00" in said(pilot))
        await until(pilot, lambda: any(event.amount == Usd.of(5) for event in recorded(store)))
        assert words(pilot, "openai ")[1] == "$50.00"


async def test_enter_shows_a_day_part_by_part_beside_ours_and_why(face: SpendtopApp, clock: SettableClock) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot, "j", "enter")
        await dialog(pilot, LedgerDayScreen)
        await until(pilot, lambda: "DIFFERENCE" in picture(pilot))
        text = picture(pilot)
        assert f"openai, {day(clock, 2)} UTC" in text
        assert "BY KEY" in text and "+$2.00 661k / 10.1k key_7" in " ".join(text.split())
        assert "TOKENS OF BOTH" in text and "The provider also counted 20 web searches." in text
        assert "DIFFERENCE +$2.00, derived: billed $2.30 - ours $0.30" in text
        assert "$2.30  BILLED by the provider, as of 4m ago" in text
        assert "$2.00  proj␛[2Jweb · key_7 · gpt-4.1, 0" in text
        assert "$0.30  gpt-4.1 · 3 requests" in text
        assert "custom-7b · 1 request +1 unpriced" in text
        await pilot.press("enter")
        await until(pilot, lambda: "BY USER" in picture(pilot))
        assert "The bill names no user." in picture(pilot)
        assert "- $0.30 - " in " ".join(picture(pilot).split())
        await pilot.press("q")
        await until(pilot, lambda: isinstance(face.screen, LedgerScreen))


@pytest.mark.parametrize("key", ["c", "plus", "n", "r"])
async def test_a_read_only_viewer_changes_nothing_and_says_why(kept: Till, session_over: Sessions, key: str) -> None:
    app = SpendtopApp(session_over(read_only=True))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot, key)
        await until(pilot, lambda: "This viewer is read-only" in said(pilot))
        assert app.screen is screen


async def test_poll_now_asks_the_collector_and_tells_what_came_of_it(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot, "r")

        def asked() -> bool:
            with store.reading() as connection:
                return tasks.are_queued(connection)

        await until(pilot, asked)

        def do(connection: Connection) -> None:
            task = tasks.claim(connection, clock())
            assert task is not None
            assert (task.kind, task.arguments) == (tasks.TaskKind.POLL_NOW, {"poller": "openai-costs"})
            tasks.finish(connection, task.id, tasks.TaskState.DONE, "polled, all is read", clock())

        write(store, do)
        await until(pilot, lambda: "polled, all is read" in said(pilot))


def rows_of(folder: Path, what: str) -> list[dict[str, str]]:
    """The only file of days or entries."""
    (file,) = folder.glob(f"spendtop-ledger-{what}-*.csv")
    return list(csv.DictReader(file.read_text().splitlines()))


async def test_export_writes_days_and_entries(face: SpendtopApp, tmp_path: Path, clock: SettableClock) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot, "x", "d")
        await until(pilot, lambda: "3 days in" in said(pilot))
        await pilot.press("x", "e")
        await until(pilot, lambda: "2 entries in" in said(pilot))
    days = {row["date"]: row for row in rows_of(tmp_path, "days")}
    assert days[day(clock, 2)]["difference_nanousd"] == "2000000000"
    assert days[day(clock, 3)]["restated"] == "1"
    assert [row["kind"] for row in rows_of(tmp_path, "entries")] == ["deposit", "calibration"]
