"""The face as a whole: start, figures, news, pause, leaving."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from spendtop.config.time_settings import machine_zone
from spendtop.domain.clock import SECOND
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.errors import CannotWrite, ExitCode
from spendtop.domain.requests.request import NotUnderstood
from spendtop.domain.requests.request import TestEvent as DashboardTest
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.windows import Calendar
from spendtop.services.alerting import actions as alert_actions
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from spendtop.tui.app import SpendtopApp
from spendtop.tui.overview.welcome import Welcome
from spendtop.tui.screens import SCREENS
from spendtop.tui.session import AttachedCollector
from spendtop.tui.store_watch import CollectorSeen
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, typed, until
from tests.waiting import DEADLINE


async def test_the_overview_shows_spend_limits_users_models_and_what_arrives(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "14:03:07" in picture(pilot))
        shown = picture(pilot)
    assert "today $0.390 +6?" in shown
    assert "prod" in shown and "LIVE" in shown
    for word in ("Spend/10 min", "Limits", "daily", "Users", "batch-ci", "Models", "gpt-4.1", "Sources", "helicone"):
        assert word in shown


async def test_the_first_picture_comes_before_the_store(session_over: Sessions, store: Store) -> None:
    painted: list[str] = []

    def connect(upgraded: Callable[[float], object]) -> Store:
        painted.append(app.screen.__class__.__name__)
        return store

    app = SpendtopApp(session_over(connect=connect))
    async with app.run_test(size=(80, 24)) as pilot:
        assert " 1Over " in picture(pilot)
        await until(pilot, lambda: painted)
    assert painted == ["OverviewScreen"]


async def test_a_new_request_appears_by_itself(app: SpendtopApp, filled: Till, clock: SettableClock) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        filled.record(a_request(-1, clock(), user_id="carol", external_id="new"))
        clock.advance(SECOND)
        await until(pilot, lambda: "carol" in picture(pilot))


async def test_an_empty_store_says_what_to_do_next(session_over: Sessions) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "http://127.0.0.1:8000/webhook" in picture(pilot))
        shown = picture(pilot)
    assert "-  a month of made-up traffic" in shown and "1  write spendtop.toml" in shown
    for step in ("spendtop demo", "spendtop init", "spendtop send-test", "Helicone"):
        assert step in shown


REFUSED = Condition(
    name="refused /webhook",
    status=ConditionStatus.DEGRADED,
    sentence="5 webhooks refused: the signature does not match. Compare webhook_secrets under [helicone].",
    since=0,
)


async def test_what_is_refused_is_seen_on_every_screen_until_it_is_mended(session_over: Sessions, filled: Till) -> None:
    app = SpendtopApp(session_over())
    mended = AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for name in SCREENS:
            app.post_message(CollectorSeen(replace(mended, conditions=(REFUSED,))))
            await pilot.press(SCREENS[name].key)
            await until(pilot, lambda: "! 5 webhooks refused: the signature does not match" in picture(pilot))
            app.post_message(CollectorSeen(mended))
            await until(pilot, lambda: "refused: the signature" not in picture(pilot))


async def test_a_newcomer_reads_what_is_refused_and_what_to_compare(session_over: Sessions) -> None:
    collector = AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=False, conditions=(REFUSED,))
    app = SpendtopApp(session_over(collector=lambda: collector))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "Welcome" in picture(pilot))
        welcome = " ".join("".join(text for text, _ in line) for line in app.screen.query_one(Welcome).content(78, 30))
        assert REFUSED.sentence in " ".join(welcome.split())


async def test_the_tunnel_leads_to_where_the_collector_listens(session_over: Sessions) -> None:
    collector = AttachedCollector(4711, "ready", "http://0.0.0.0:9123", started_here=False)
    app = SpendtopApp(session_over(collector=lambda: collector, webhook_url="https://spend.example/webhook"))
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "cloudflared tunnel --url localhost:9123" in picture(pilot))
        assert "https://spend.example/webhook" in picture(pilot)


async def test_no_address_is_told_where_nobody_listens(session_over: Sessions) -> None:
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "known once a collector runs" in picture(pilot))
        assert "8000" not in picture(pilot)


async def test_without_a_collector_the_screen_says_that_nothing_is_recorded(session_over: Sessions) -> None:
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "NOT RECORDING" in picture(pilot))


async def test_a_source_is_not_well_when_no_collector_hears_it(session_over: Sessions, filled: Till) -> None:
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "-- helicone" in picture(pilot))
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "OK helicone" in picture(pilot))


async def test_panels_and_chart_share_one_window_of_time(app: SpendtopApp) -> None:
    async with app.run_test(size=(140, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "today" in picture(pilot) and "t time" in picture(pilot).splitlines()[-1])
        await pilot.press("t", "1")
        await until(pilot, lambda: "Spend/min last hour" in picture(pilot) and "Users last hour" in picture(pilot))
        await pilot.press("Z")
        await until(pilot, lambda: "Spend/min last 6 hours" in picture(pilot))
        await pilot.press("z", "z")
        await until(pilot, lambda: "Spend/min last 15 minutes" in picture(pilot))
        await pilot.press("t", "3")
        await until(pilot, lambda: "Models yesterday" in picture(pilot) and "nothing spent" in picture(pilot))
        await pilot.press("t", "y")
        await until(pilot, lambda: "Spend/day last 365 days, peak of" in picture(pilot))
        assert app.live_screen is not None
        offered = {action.id for action, _ in app.live_screen.offered()}
        assert "zoom-in" in offered and not {"zoom-out", "later"} & offered
        await pilot.press("v")
        await until(pilot, lambda: "Requests/day" in picture(pilot))


@pytest.mark.parametrize("size", [(60, 15), (140, 12)])
async def test_where_the_chart_has_no_room_beside_the_rest_a_key_shows_it_alone(
    app: SpendtopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "c chart" in picture(pilot).splitlines()[-1])
        assert "┤" not in picture(pilot) and "v measure" not in picture(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "┤" in picture(pilot) and "Live" not in picture(pilot))
        await pilot.press("h", "h")
        keys = picture(pilot).splitlines()[-1]
        assert "q back" in keys and "h earlier" in keys
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "requests" and " t:" in picture(pilot))
        await pilot.press("q")
        await until(pilot, lambda: "┤" in picture(pilot))
        await pilot.press("q")
        await until(pilot, lambda: "Live" in picture(pilot) and "q leave" in picture(pilot).splitlines()[-1])


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        (Calendar("Asia/Kathmandu"), "days from 00:00 Asia/Kathmandu"),
        (Calendar(machine_zone(), "04:30"), "days from 04:30"),
        (Calendar(machine_zone()), ""),
    ],
)
async def test_which_day_is_meant_is_said_where_it_is_not_the_machines(
    session_over: Sessions, calendar: Calendar, said: str
) -> None:
    app = SpendtopApp(session_over(calendar=calendar))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "LIVE" in picture(pilot))
        shown = picture(pilot)
    assert said in shown and ("days from" in shown) == bool(said)


async def test_what_needs_attention_is_counted(app: SpendtopApp, filled: Till, clock: SettableClock) -> None:
    filled.record(
        NotUnderstood(source=HELICONE, received_at=clock(), reason="an array", raw=b"[]"),
        NotUnderstood(source=HELICONE, received_at=clock(), reason="no id", raw=b"{}"),
        DashboardTest(source=HELICONE, external_id="test", received_at=clock(), raw=b"{}"),
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "2 not understood: 8 shows them" in picture(pilot))
        assert "1 test" in picture(pilot)


async def test_a_pause_freezes_the_picture_and_counts_what_it_misses(
    app: SpendtopApp, filled: Till, clock: SettableClock
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        await pilot.press("p")
        clock.advance(42 * SECOND)
        filled.record(*(a_request(-number, clock(), user_id="carol") for number in range(100, 103)))
        await until(pilot, lambda: "PAUSED 42s, 3 behind" in picture(pilot))
        assert "carol" not in picture(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "carol" in picture(pilot))


async def test_a_store_that_cannot_be_opened_ends_with_its_own_code(session_over: Sessions) -> None:
    def connect(upgraded: Callable[[float], object]) -> Store:
        raise CannotWrite("The disk is full. Free some space.")

    app = SpendtopApp(session_over(connect=connect))
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.failure is not None)
    assert app.return_code == ExitCode.CANNOT_WRITE
    assert str(app.failure) == "The disk is full. Free some space."


async def test_a_store_that_is_being_upgraded_says_how_far_it_is(session_over: Sessions, store: Store) -> None:
    goes_on = threading.Event()

    def connect(upgraded: Callable[[float], object]) -> Store:
        upgraded(0.437)
        assert goes_on.wait(DEADLINE)
        return store

    app = SpendtopApp(session_over(connect=connect))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "The store is upgraded: 43 % done" in picture(pilot))
        goes_on.set()
        await opened(pilot)
        await until(pilot, lambda: "LIVE" in picture(pilot))


async def test_who_leaves_during_an_upgrade_does_not_wait_for_its_end(session_over: Sessions) -> None:
    ended = threading.Event()

    def connect(upgraded: Callable[[float], object]) -> Store:
        try:
            while True:
                upgraded(0.5)
                ended.wait(0.01)
        finally:
            ended.set()

    app = SpendtopApp(session_over(connect=connect))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "The store is upgraded: 50 % done" in picture(pilot))
    assert ended.wait(DEADLINE)
    assert app.failure is None


async def test_q_goes_back_and_at_the_root_asks(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2", "q")
        assert app.current_mode == "overview"
        await pilot.press("q")
        await pilot.pause()
        assert "Leave spendtop?" in picture(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert "Leave spendtop?" not in picture(pilot)
        await pilot.press("escape", "enter")  # whoever went back once too often stays
        await pilot.pause()
        assert "Leave spendtop?" not in picture(pilot) and app.is_running
        await pilot.press("c", "escape")
        await pilot.pause()
        assert "Leave spendtop?" not in picture(pilot)


async def test_leaving_offers_to_stop_only_a_collector_that_was_started_here(session_over: Sessions) -> None:
    stopped: list[bool] = []
    mine = AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=True, other_viewers=("ann", "bo"))
    app = SpendtopApp(session_over(collector=lambda: mine, stop_collector=lambda: stopped.append(True)))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: app.collector is not None)
        await pilot.press("Q")
        await until(pilot, lambda: "2 other" in picture(pilot))
        await pilot.press("down", "enter")
        await until(pilot, lambda: stopped)
    assert app.return_code == ExitCode.OK


async def test_detaching_leaves_the_collector_alone(session_over: Sessions) -> None:
    stopped: list[bool] = []
    app = SpendtopApp(session_over(stop_collector=lambda: stopped.append(True)))
    async with app.run_test() as pilot:
        await opened(pilot, "D")
    assert app.return_code == ExitCode.OK
    assert not stopped


async def test_control_c_twice_asks_to_leave(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "ctrl+c")
        assert "Leave spendtop?" not in picture(pilot)
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert "Leave spendtop?" in picture(pilot)


async def test_the_users_keymap_applies(session_over: Sessions, filled: Till) -> None:
    app = SpendtopApp(session_over(keymap={"pause": "f5"}))
    async with app.run_test() as pilot:
        await opened(pilot, "p")
        assert app.pause is None
        await pilot.press("f5")
        assert app.pause is not None


async def test_what_is_wrong_with_a_keymap_is_said_once(session_over: Sessions, filled: Till) -> None:
    app = SpendtopApp(session_over(keymap={"hlp": "f6", "help": "j"}))
    async with app.run_test(notifications=True) as pilot:
        await opened(pilot, "2", "1", "2")
        told = sorted(each.message for each in app._notifications)
    assert told == [
        "[ui] keymap: no action is called 'hlp', did you mean 'help'?",
        "[ui] keymap: the key of 'help' is taken; give it another one.",
    ]


@pytest.mark.parametrize("size", [(140, 40), (80, 24), (60, 15)])
async def test_two_messages_at_once_leave_the_foot_and_a_hint_is_cut_with_a_sign(
    app: SpendtopApp, filled: Till, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot))
        for _ in range(2):
            app.notify("Words of several lines. " * 5 + "End.")
        await until(pilot, lambda: picture(pilot).count("End.") == 2)
        notice, keys = picture(pilot).splitlines()[-2:]
        assert "row 1 of 60" in notice and "help" in keys
        await pilot.press("colon")
        await typed(pilot, "view ")
        await until(pilot, lambda: ":view [save|forget] NAME" in picture(pilot).splitlines()[-1])
        assert ("…" in picture(pilot).splitlines()[-1]) == (size[0] < 100)


@pytest.mark.parametrize("size", [(140, 40), (80, 24), (60, 15), (20, 5)])
async def test_every_size_shows_every_screen(app: SpendtopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        for key in ("2", "enter", "tab", "minus", "minus", "question_mark", "escape", "slash", "escape", "1"):
            await pilot.press(key)
        assert len(picture(pilot).splitlines()) == size[1]
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert len(picture(pilot).splitlines()) == 8


async def test_joined_emoji_do_not_reach_the_terminal(session_over: Sessions, till: Till, clock: SettableClock) -> None:
    till.record(a_request(0, clock(), user_id="👩\u200d💻 ada ❤\ufe0f", model="m"))
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "👩 ada ❤" in picture(pilot))
        assert not {"\u200d", "\ufe0f"} & set(picture(pilot))


async def test_unusual_spend_is_an_alert_in_the_header_and_in_numbers_at_the_foot(
    app: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    values = {"window_start": clock(), "state": "approaching", "severity": "warning", "announced": 12.0, "spoke": 1}
    amounts = {"used_nano": 14_400_000_000, "limit_nano": 1_200_000_000}
    times = dict.fromkeys(("crossed_at", "opened_at", "updated_at"), clock())
    async with app.run_test(size=(140, 24)) as pilot:
        await opened(pilot)
        assert "▲" not in picture(pilot).splitlines()[0]
        with store.writing() as connection:
            alert = table_of(AlertTable).insert().returning(table_of(AlertTable).c.id)
            number = connection.execute(
                alert, {**values, **amounts, **times, "rule": "anomaly/all", "entity": ""}
            ).scalar_one()
        await until(pilot, lambda: "$14.40, 12 times the usual $1.20: 6 shows it" in picture(pilot))
        header, *_, foot, _ = picture(pilot).splitlines()
        assert "alerts !1" in header and " ▲ unusual " in header
        assert foot.startswith(" ! everyone $14.40")
        with store.writing() as connection:
            alert_actions.ack(connection, number, "ana", clock())
        await until(pilot, lambda: "times the usual" not in picture(pilot))
        assert "alerts" not in picture(pilot).splitlines()[0]


async def test_a_key_in_the_foot_can_be_clicked(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot) and "/ filter" in picture(pilot))
        foot = picture(pilot).splitlines()[-1]
        await pilot.click("#keys", offset=(foot.index("/ filter") + 2, 0))
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("escape")
        await until(pilot, lambda: "p pause" in picture(pilot))
        await pilot.click("#keys", offset=(foot.index("p pause"), 0))
        await until(pilot, lambda: "PAUSED" in picture(pilot))
