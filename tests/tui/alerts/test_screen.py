"""The screen of alerts: what calls for somebody, what is done about it, and what is seen of the deliveries."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, func, insert, select, update
from textual.pilot import Pilot
from textual.widgets import Input

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import PushHealth
from spendtop.services import checkpoints
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.outbox import Attempt
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, AlertTransitionTable, DeliveryTable, TaskTable
from spendtop.tui.alerts.questions import AlertFigures, AlertsQuestion
from spendtop.tui.alerts.screen import AlertsScreen
from spendtop.tui.alerts.silencing import SilenceScreen
from spendtop.tui.app import SpendtopApp
from spendtop.tui.limits.questions import LimitsFigures, LimitsQuestion
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.requests.screen import RequestsScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, opened, picture, said, until
from tests.waiting import DEADLINE

DOLLAR = 1_000_000_000
T = TypeVar("T")
HOSTILE = "ali\x1b[2Jce"


def write(store: Store, work: Callable[[Connection], T]) -> T:
    with store.writing() as connection:
        return work(connection)


def an_alert(now: int, **changes: Any) -> dict[str, Any]:
    """Alice is at 145 % of her day's $0.50 since a minute ago."""
    midnight = now // DAY * DAY
    values = {
        "rule": "limit/each user",
        "entity": "alice",
        "window_start": midnight,
        "window_end": midnight + DAY,
        "state": "exceeded",
        "severity": "critical",
        "version": 1,
        "announced": 1.0,
        "spoke": 1,
        "used_nano": 725_000_000,
        "limit_nano": 500_000_000,
        "crossed_at": now - MINUTE,
        "opened_at": now - MINUTE,
        "updated_at": now - MINUTE,
    }
    return values | changes


def deliver(connection: Connection, alert_id: int, channel: str, now: int, outcome: str | None) -> None:
    """A message about an alert, and what came of its try."""
    message = Message(kind=MessageKind.EXCEEDED, limit_name="each user")
    facts: dict[str, Any] = {"alert_id": alert_id, "seq": 1, "message": message, "severity": "critical", "now": now}
    outbox_rules.enqueue(connection, channels=[channel], **facts)
    if outcome is None:
        return
    claimed = outbox_rules.claim(connection, channel, now=now, lease_until=now + MINUTE)
    assert claimed is not None
    attempt = Attempt(at=now + 3 * SECOND, outcome=outcome, detail="550 mailbox", elapsed_ms=400)
    outbox_rules.finish(connection, claimed, attempt, None)


@pytest.fixture
def alarmed(filled: Till, store: Store, clock: SettableClock) -> Store:
    """Four open alerts, one of them taken on, and one that is over; three messages about the first."""
    now = clock()
    approaching: dict[str, Any] = {"rule": "limit/daily", "entity": "", "state": "approaching", "severity": "warning"}
    approaching |= {"announced": 0.8, "used_nano": 40 * DOLLAR, "limit_nano": 50 * DOLLAR}
    low: dict[str, Any] = {"rule": "balance/openai", "entity": "", "window_end": None, "crossed_at": now - 2 * MINUTE}
    low |= {"used_nano": 9 * DOLLAR, "limit_nano": 10 * DOLLAR}
    rows = (
        an_alert(now, version=2),
        an_alert(now, entity="bob", acked_at=now - 9 * SECOND, acked_by=HOSTILE),
        an_alert(now, **approaching),
        an_alert(now, **low),
        an_alert(now, entity="gone", state="resolved", resolved_at=now - SECOND),
    )

    def prepare(connection: Connection) -> None:
        for row in rows:
            connection.execute(insert(table_of(AlertTable)), row)
        stood = {key: rows[0][key] for key in ("severity", "crossed_at", "limit_nano")} | {"alert_id": 1}
        for spoke, state in enumerate(("approaching", "exceeded"), 1):
            said = {"version": spoke, "at": now - MINUTE * (9 - spoke), "state": state, "spoke": spoke}
            insertion = insert(table_of(AlertTransitionTable))
            connection.execute(insertion, {**stood, **said, "used_nano": spoke * 450_000_000})
        deliver(connection, 1, "ops", now, "sent")
        deliver(connection, 1, "mail", now, "permanent")
        deliver(connection, 1, "chat", now, None)

    write(store, prepare)
    return store


@pytest.fixture
def face(session_over: Sessions, alarmed: Store) -> SpendtopApp:
    return SpendtopApp(session_over())


async def shown(pilot: Pilot[int]) -> AlertsScreen:
    """The screen with its first figures, the cursor on alice."""
    await opened(pilot, "6")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, AlertsScreen) and app.live_screen.detail.detail)
    screen = app.live_screen
    assert isinstance(screen, AlertsScreen)
    return screen


def row_of(pilot: Pilot[int], name: str) -> str:
    return " ".join(next(line for line in picture(pilot).splitlines() if name in line).split())


def alert_row(store: Store, number: int) -> Any:
    with store.reading() as connection:
        return connection.execute(select(table_of(AlertTable)).where(table_of(AlertTable).c.id == number)).one()


async def test_each_alert_says_what_became_of_it_and_when_it_speaks_again(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        rows = [line for line in picture(pilot).splitlines() if " crit " in line or " warn " in line]
        order = [next(name for name in ("alice", "openai", "daily", "bob") if name in line) for line in rows]
        assert order == ["alice", "openai", "daily", "bob"]
        assert "14:02 each user alice 27% - from 11-21 00:00" in row_of(pilot, "user alice")
        assert "!open warn" in row_of(pilot, " daily ") and "at 100%" in row_of(pilot, " daily ")
        assert "+acked crit" in row_of(pilot, "user bob") and "\x1b" not in picture(pilot)
        assert "once up" in row_of(pilot, "$9.00 of $10.00")
        assert "gone" not in picture(pilot)
        assert "3 open · 1 acked" in picture(pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "resolved" in picture(pilot) and "user gone" in picture(pilot))


async def test_the_detail_tells_what_came_of_each_delivery_and_who_drove_it(face: SpendtopApp) -> None:
    async with face.run_test(size=(140, 40)) as pilot:
        await shown(pilot)
        lines = picture(pilot)
        assert "(0.4 s)" in row_of(pilot, " ops ")
        assert "dead: 550 mailbox; R sends" in row_of(pilot, " mail ")
        assert "waits, due " in row_of(pilot, " chat ")
        assert "said 13:56 exceeded: $0.90 of $0.50" in row_of(pilot, "said ")
        assert "13:55 approaching: $0.45 of $0.50" in row_of(pilot, " approaching:")
        assert "most of model gpt-4.1" in row_of(pilot, "most of")
        assert "exceeded; nobody takes care of it" in lines and "In the next window, from " in lines


async def test_the_detail_of_a_source_that_brings_nothing_has_the_way_back(
    filled: Till, session_over: Sessions, store: Store, clock: SettableClock
) -> None:
    amiss = "Anthropic's destination is off. `spendtop anthropic connect spend.example.org` switches it on."

    def prepare(connection: Connection) -> None:
        packed = push_health.packed(PushHealth(amiss=amiss))
        checkpoints.succeeded(connection, "anthropic-push", clock(), cursor=packed)
        stale = {"rule": "stale/anthropic-push", "entity": "", "window_end": None, "used_nano": 0, "limit_nano": 0}
        connection.execute(insert(table_of(AlertTable)), an_alert(clock(), **stale))

    write(store, prepare)
    face = SpendtopApp(session_over())
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert "why Anthropic's destination is off." in row_of(pilot, "why ")
        assert "`spendtop anthropic connect" in picture(pilot) and "spend.example.org` switches" in picture(pilot)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (100, 30), (140, 40), (200, 60)])
async def test_figures_are_whole_at_every_size(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        await shown(pilot)
        assert "alice 27%" in picture(pilot) and "$9.00 of $10.00" in picture(pilot)


async def test_an_ack_leaves_the_count_of_the_header_which_leads_to_the_screen(face: SpendtopApp, store: Store) -> None:
    async with face.run_test(size=(140, 24), notifications=True) as pilot:
        await opened(pilot)
        header = picture(pilot).splitlines()[0]
        assert "alerts !3" in header
        await pilot.click("#status", offset=(header.index("!3"), 0))
        await until(pilot, lambda: "exceeded; nobody takes care of it" in picture(pilot))
        await pilot.press("a")
        await until(pilot, lambda: "alerts !2" in picture(pilot).splitlines()[0])
        assert alert_row(store, 1).acked_at is not None
        assert "acked" in row_of(pilot, "user alice 27%  ")


async def test_a_snooze_can_last_until_the_window_ends(face: SpendtopApp, store: Store, clock: SettableClock) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(face.screen, ChooseScreen))
        assert "until its window ends" in picture(pilot)
        await pilot.press("2")
        await until(pilot, lambda: alert_row(store, 1).snoozed_until == clock() + HOUR)
        await until(pilot, lambda: "snoozed" in row_of(pilot, "user alice 27%  "))
        assert "in 1h" in row_of(pilot, "user alice 27%  ")
        await pilot.press("s", "w")
        await until(pilot, lambda: alert_row(store, 1).snoozed_until == alert_row(store, 1).window_end)


async def test_dead_messages_are_sent_again_and_channels_tried_by_the_collector(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    def kinds() -> list[str]:
        with store.reading() as connection:
            return list(connection.execute(select(table_of(TaskTable).c.kind)).scalars())

    async with face.run_test(size=(140, 40), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("R")
        await until(pilot, lambda: kinds() == ["delivery-retry"])
        with store.writing() as connection:
            test = Message(kind=MessageKind.TEST, limit_name="")
            facts: dict[str, Any] = {"alert_id": None, "seq": 9, "message": test, "severity": "info", "now": clock()}
            outbox_rules.enqueue(connection, channels=["pager"], **facts)
            delivery = table_of(DeliveryTable)
            to_pager = update(delivery).where(delivery.c.channel == "pager")
            connection.execute(to_pager.values(state="dead", last_error="401 wrong key"))
        await until(pilot, lambda: "dead: 401 wrong key" in picture(pilot))
        assert row_of(pilot, "401 wrong key").count("test pager") == 1


async def test_enter_lists_the_requests_behind_an_alert(face: SpendtopApp) -> None:
    async with face.run_test(size=(140, 40)) as pilot:
        await shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(face.live_screen, RequestsScreen) and "row 1 of 20" in picture(pilot))
        assert 'user:"alice" t:' in picture(pilot)


async def test_plus_asks_by_how_much_the_limit_is_raised_that_the_alert_is_about(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert "+ raise" in picture(pilot)
        await pilot.press("plus")
        await until(pilot, lambda: "Raise each user, alice" in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: face.current_mode == "limits" and "▌each user" in picture(pilot))
        assert "alice" in next(line for line in picture(pilot).splitlines() if "▌each user" in line)
        await pilot.press("q", "plus")
        await until(pilot, lambda: "Raise each user, alice" in picture(pilot))


async def test_who_goes_elsewhere_before_the_limits_are_read_is_asked_nothing(
    face: SpendtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, ask = Event(), LimitsQuestion.ask

    def late(question: LimitsQuestion, connection: Connection) -> LimitsFigures:
        assert reading.wait(DEADLINE)
        return ask(question, connection)

    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        monkeypatch.setattr(LimitsQuestion, "ask", late)
        await pilot.press("plus")
        await until(pilot, lambda: face.current_mode == "limits")
        await pilot.press("2")
        await until(pilot, lambda: face.current_mode == "requests")
        reading.set()
        await pilot.press("5")
        await until(pilot, lambda: "▌each user" in picture(pilot))
        assert "By how many" not in picture(pilot)


async def test_a_read_only_viewer_says_that_it_may_not(session_over: Sessions, alarmed: Store) -> None:
    face = SpendtopApp(session_over(read_only=True))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        for key in ("a", "s", "R"):
            await pilot.press(key)
            await until(pilot, lambda: "This viewer is read-only" in said(pilot))
            face.clear_notifications()
        assert alert_row(alarmed, 1).acked_at is None


async def test_the_layout_goes_round_and_the_detail_goes_along_with_the_cursor(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot)
        await pilot.press("minus")
        await until(pilot, lambda: "nobody takes care" not in picture(pilot))
        await pilot.press("minus")
        await until(pilot, lambda: "SPEAKS" not in picture(pilot) and "#1 each user alice" in picture(pilot))
        await pilot.press("j")
        await until(pilot, lambda: screen.detail.detail is not None and screen.detail.detail.row.id != 1)
        await pilot.press("q")
        await until(pilot, lambda: "SPEAKS" in picture(pilot))


async def test_a_silence_begins_with_the_alert_under_the_cursor_and_is_taken_back(
    face: SpendtopApp, store: Store
) -> None:
    async with face.run_test(size=(140, 40), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(face.screen, SilenceScreen))
        field = face.screen.query_one("#filter", Input)
        assert field.value == 'limit:"each user" user:"alice"'
        field.value = "usr:alice"
        await pilot.press("enter")
        await until(pilot, lambda: "there is no field 'usr'" in picture(pilot))
        face.screen.query_one("#filter", Input).value = "limit:each*"
        await pilot.press("enter")
        await until(pilot, lambda: "silenced" in row_of(pilot, "user alice 27%  "))
        assert "alerts !2" in picture(pilot).splitlines()[0]
        assert "in 2h" in row_of(pilot, "user alice 27%  ") and "acked" not in row_of(pilot, "user bob")
        await until(pilot, lambda: "silence 1 (limit:each*) until" in picture(pilot))
        await pilot.press("S")
        await until(pilot, lambda: "limit:each*" in picture(pilot) and "choose one to end it" in picture(pilot))
        await pilot.press("1")
        await until(pilot, lambda: "open" in row_of(pilot, "user alice 27%  "))
        await pilot.press("S")
        await until(pilot, lambda: isinstance(face.screen, SilenceScreen))
        face.screen.query_one("#filter", Input).value = "limit:each*"
        await pilot.press("enter")
        await until(pilot, lambda: "silenced" in row_of(pilot, "user alice 27%  "))
        await pilot.press("u")
        await until(pilot, lambda: "open" in row_of(pilot, "user alice 27%  "))
        face.clear_notifications()
        await pilot.press("u")
        await until(pilot, lambda: "There is nothing to undo" in said(pilot))


@pytest.mark.parametrize(
    ("keys", "mode"),
    [(["enter"], "requests"), (["enter", "1"], "overview"), (["a"], "alerts")],
)
async def test_a_key_before_the_rows_are_read_opens_once_they_are_and_changes_nothing(
    face: SpendtopApp, monkeypatch: pytest.MonkeyPatch, store: Store, keys: list[str], mode: str
) -> None:
    may_read, ask = Event(), AlertsQuestion.ask

    def slowly(self: AlertsQuestion, connection: Connection) -> AlertFigures:
        may_read.wait()
        return ask(self, connection)

    monkeypatch.setattr(AlertsQuestion, "ask", slowly)
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "6")
        await until(pilot, lambda: face.current_mode == "alerts")
        alerts = face.live_screen
        assert isinstance(alerts, AlertsScreen)
        await pilot.press(*keys)
        if keys == ["a"]:
            await until(pilot, lambda: "still being read" in said(pilot))
        may_read.set()
        await until(pilot, lambda: face.current_mode == mode and (mode != "requests" or "row 1 of" in picture(pilot)))
        if mode == "overview":
            await pilot.press("6")
        if mode != "requests":
            await until(pilot, lambda: alerts.detail.detail)
            await pilot.pause()
            assert face.screen is alerts
    with store.reading() as connection:
        acked = select(func.count()).where(table_of(AlertTable).c.acked_at.is_not(None))
        assert connection.execute(acked).scalar() == 1
