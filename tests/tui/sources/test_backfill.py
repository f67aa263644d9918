"""The screen of sources: what is polled, gaps, polling now, and filling a span with its progress."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, delete
from textual.pilot import Pilot

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Cost
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.sources.remarks import Remark, RemarkKind
from spendtop.domain.windows import Calendar
from spendtop.services import checkpoints, tasks
from spendtop.services.recording import missed_requests
from spendtop.services.recording.remarks import note
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import PolledSource, applied, keep
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.statements import table_of
from spendtop.store.tables import CheckpointTable
from spendtop.tui.app import SpendtopApp
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.sources.backfill import BackfillScreen, SpanDraft
from spendtop.tui.sources.screen import SourcesScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, typed, until
from tests.tui.sources.test_screen import OPEN, dialog, in_force, row_of, shown, write

HELICONE, COSTS, BALANCE = "helicone-api", "openai-costs", "deepseek/ci"
REFUSED = "DeepSeek refused the key. Set another one as key of the account ci."


def asks(store: Store, *names: str) -> None:
    """These are polled each minute."""

    def publish(connection: Connection) -> None:
        known = applied(connection)
        assert known is not None
        account = Account(
            name="claude", provider="anthropic", poller=None, poll_every=MINUTE, low_balance=None, tells_balance=False
        )
        pollers = tuple(PolledSource(name=name, every=MINUTE) for name in names)
        keep(connection, replace(known, pollers=pollers, accounts=(account,)))

    write(store, publish)


@pytest.fixture
def polled(till: Till, store: Store, clock: SettableClock) -> Till:
    """Three pollers, one of which fails, and one that waits for a key; a gap that a poll filled."""
    now = clock()
    in_force(store, OPEN)
    asks(store, HELICONE, COSTS, BALANCE)
    till.record(*(a_request(number, now) for number in range(97)))
    costs = Cost(amount=Usd.of("0.1"), basis=Basis.REPORTED, reported=Usd.of("0.1"))
    recorded = [
        a_request(n, now, source=HELICONE_API, external_id=f"m{n}", cost=costs, occurred_at=now - (60 - n) * MINUTE)
        for n in range(3)
    ]
    till.record(*recorded)

    def prepare(connection: Connection) -> None:
        checkpoints.succeeded(connection, HELICONE, now - 20_000_000, complete_until=now + 1)
        checkpoints.succeeded(connection, COSTS, now - HOUR)
        checkpoints.failed(connection, BALANCE, REFUSED, now)
        missed_requests.note_gap(connection, "helicone", recorded, now, now)

    write(store, prepare)
    return till


@pytest.fixture
def face(session_over: Sessions, polled: Till) -> SpendtopApp:
    return SpendtopApp(session_over())


async def at(pilot: Pilot[int], screen: SourcesScreen, name: str) -> None:
    """Put the cursor on a poller."""
    screen.table.select(("poller", name))
    await pilot.pause()


def running(store: Store) -> Task:
    """The collector takes up what was asked."""
    taken = write(store, lambda connection: tasks.claim(connection, 1))
    assert taken is not None
    return taken


def is_asked(store: Store) -> bool:
    with store.reading() as connection:
        return tasks.are_queued(connection)


def state_of(store: Store, task: Task) -> TaskState:
    with store.reading() as connection:
        found = tasks.look(connection, task.id)
    assert found is not None
    return found.state


async def test_each_poller_tells_its_state_last_success_and_how_far_it_is_complete(
    face: SpendtopApp, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        until_then = f"{face.session.calendar.local(clock()):%H:%M}"
        assert row_of(pilot, "helicone API")[2:] == ["OK", "20s", "complete", "until", f"{until_then},", "3", "today"]
        assert row_of(pilot, "openai costs")[2:5] == ["--", "stale", "1h"]
        assert row_of(pilot, "ci balance")[2:6] == ["!FAILING", "-", "DeepSeek", "refused"]
        assert row_of(pilot, "anthropic costs")[2:] == [
            *("..", "waits", "-", "for", "key:", "admin_key", "under", "[anthropic]")
        ]


async def test_the_notice_tells_the_whole_failure_and_what_switches_a_poller_on(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, BALANCE)
        await until(pilot, lambda: f"! {REFUSED}" in picture(pilot))
        await at(pilot, screen, "anthropic-costs")
        await until(pilot, lambda: "set admin_key under [anthropic] in spendtop.toml" in picture(pilot))
        assert "r poll now" not in picture(pilot)


async def test_gaps_and_the_share_that_webhooks_brought_are_told(face: SpendtopApp, clock: SettableClock) -> None:
    zone, now = face.session.calendar, clock()
    since, end = (f"{zone.local(now - minutes * MINUTE):%H:%M}" for minutes in (60, 58))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert f"gap {since}-{end} found by poll: 3 requests, $0.30 back-filled" in picture(pilot)
        assert f"webhooks cover 97 % until {zone.local(now):%H:%M}" in picture(pilot)


async def test_what_no_poll_compared_is_not_claimed(face: SpendtopApp, store: Store) -> None:
    write(store, lambda connection: connection.execute(delete(table_of(CheckpointTable))))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert "what webhooks cover is not known" in picture(pilot)


async def test_many_gaps_leave_room_for_other_events(face: SpendtopApp, store: Store, clock: SettableClock) -> None:
    now = clock()

    def note(connection: Connection) -> None:
        for n in range(9):
            missed = a_request(n, now, occurred_at=now - DAY - n * MINUTE)
            missed_requests.note_gap(connection, "helicone", [missed], now + n, now + n)

    write(store, note)
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert picture(pilot).count("found by poll") == 3
        assert "6 earlier gaps of these days: 9 requests" in picture(pilot)


async def test_without_a_key_nothing_is_polled_and_no_share_is_claimed(face: SpendtopApp, store: Store) -> None:
    asks(store)
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, HELICONE)
        assert row_of(pilot, "helicone API")[2:] == [
            "..",
            "waits",
            "20s",
            "3",
            "today;",
            "api_key",
            "under",
            "[helicone]",
        ]
        for words in ("webhooks cover", "r poll now", "b back-fill"):
            assert words not in picture(pilot)


async def test_without_a_collector_no_poller_is_called_ok(polled: Till, session_over: Sessions) -> None:
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await until(pilot, lambda: row_of(pilot, "helicone API")[2:4] == ["--", "quiet"])


async def test_r_polls_the_selected_one_and_tells_what_came(face: SpendtopApp, store: Store) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, COSTS)
        await pilot.press("r")
        await until(pilot, lambda: is_asked(store))
        task = running(store)
        assert (task.kind, task.arguments) == (TaskKind.POLL_NOW, {"poller": COSTS})
        write(store, lambda connection: tasks.finish(connection, task.id, TaskState.DONE, "Polled: it.", 2))
        await until(pilot, lambda: "Polled: it." in said(pilot))


async def test_b_fills_a_span_shows_how_far_it_is_and_stops_it(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    async with face.run_test(size=(140, 40), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("b")
        await dialog(pilot, BackfillScreen)
        await typed(pilot, "2d")
        await pilot.press("tab")
        await typed(pilot, "24h")
        await pilot.press("enter")
        await until(pilot, lambda: is_asked(store))
        task = running(store)
        assert task.kind is TaskKind.BACKFILL
        assert task.arguments == {"since": clock() - 2 * DAY, "until": clock() - DAY}
        await until(pilot, lambda: "back-fill begins; b stops it" in picture(pilot))
        write(
            store,
            lambda connection: tasks.note_progress(connection, task.id, "43%, 12 new requests", task.arguments, 2),
        )
        await until(pilot, lambda: "back-fill 43%, 12 new requests; b stops it" in picture(pilot))
        await until(pilot, lambda: "b stop back-fill" in picture(pilot))
        await pilot.press("b")
        await until(pilot, lambda: state_of(store, task) is TaskState.STOPPING)
        await until(pilot, lambda: "stops after its present page" in said(pilot))
        write(store, lambda connection: tasks.finish(connection, task.id, TaskState.STOPPED, "Stopped at 43%.", 3))
        await until(pilot, lambda: "Stopped at 43%." in said(pilot))
        await until(pilot, lambda: "b stops it" not in picture(pilot))


@pytest.mark.parametrize(
    ("since", "end", "complaint"),
    [("", "", "a range needs"), ("soon", "", "'soon' is not a time"), ("1h", "2h", "ends before it begins")],
)
async def test_a_span_that_cannot_be_used_is_said_and_kept_to_be_changed(
    face: SpendtopApp, store: Store, since: str, end: str, complaint: str
) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("b")
        await dialog(pilot, BackfillScreen)
        await typed(pilot, since)
        await pilot.press("tab")
        await typed(pilot, end)
        await pilot.press("enter")
        await until(pilot, lambda: complaint in picture(pilot))
        assert not is_asked(store)


@pytest.mark.parametrize("key", ["r", "b"])
async def test_a_read_only_viewer_has_nothing_asked(polled: Till, session_over: Sessions, key: str) -> None:
    app = SpendtopApp(session_over(read_only=True))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, HELICONE)
        await pilot.press(key)
        await until(pilot, lambda: "This viewer is read-only" in said(pilot))


async def test_enter_lists_what_the_api_told_and_how_costs_are_asked_for(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    unknown = Remark(RemarkKind.UNKNOWN, "data.brand_new", "is not known here", 12)
    with store.writing() as connection:
        note(connection, {"openai-costs": [unknown]}, clock())
        checkpoints.failed(connection, "openai-costs", "OpenAI refused the key.", clock())
        known, zone = applied(connection), Calendar("Asia/Kathmandu")
        assert known is not None
        keep(connection, replace(known, calendar=zone))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, COSTS)
        await pilot.press("enter")
        await until(pilot, lambda: "Polls of openai costs" in picture(pilot))
        asked = picture(pilot)
        assert "1 field or column is not known" in asked and "`data.brand_new`" in asked
        assert "!FAILING, OpenAI refused the key." in asked and f"{zone.local(clock()):%H:%M}, 1 in a row" in asked
        await pilot.press("escape")
        await at(pilot, screen, HELICONE)
        await pilot.press("enter")
        await until(pilot, lambda: "found by poll" in picture(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "row 1 of 3" in picture(pilot))
        assert isinstance(face.live_screen, RequestsScreen)
        assert "source:helicone-api" in picture(pilot)


async def test_a_span_has_both_ends_as_typed(app: SpendtopApp) -> None:
    told: list[SpanDraft | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(BackfillScreen(SpanDraft(since="yester")), told.append)
        await typed(pilot, "day")
        await pilot.press("down")
        await typed(pilot, "14:00")
        await pilot.press("enter")
        await until(pilot, lambda: told)
    assert told == [SpanDraft("yesterday", "14:00")]


async def test_a_span_form_says_why_a_span_could_not_be_used_and_can_be_left(app: SpendtopApp) -> None:
    told: list[SpanDraft | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(BackfillScreen(SpanDraft(since="[x]"), "'[x]' is not a time."), told.append)
        await until(pilot, lambda: "! '[x]' is not a time." in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: told)
    assert told == [None]
