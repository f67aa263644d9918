"""What the status line tells: when a limit is reached, and what a changed configuration did."""

from __future__ import annotations

import json
from functools import partial

from textual.pilot import Pilot

from spendtop.domain.clock import HOUR, SECOND
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, NotUnderstood
from spendtop.domain.sources.records import HELICONE
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import CONFIG_NEWS, applied, keep
from spendtop.tui.app import SpendtopApp
from spendtop.tui.modals.refusal import RefusalScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request, opened, picture, typed, until

REFUSED = "/srv/a/long/way/to/spendtop.toml:3: [limit] usd: must be more than $0\nspendtop.toml:9: [ui] theme: no"
SHORT = "spendtop.toml:3: [limit] usd: must be more than $0 (and 1 more)"


def told(store: Store, at: int, ok: bool, text: str) -> None:
    """As a collector tells it."""
    with store.writing() as connection:
        facts.put(connection, CONFIG_NEWS, json.dumps({"at": at, "ok": ok, "text": text}))


async def test_an_applied_change_is_told_for_ten_seconds(app: SpendtopApp, store: Store, clock: SettableClock) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        told(store, clock(), True, "Configuration applied: limits " + "x" * 100)
        await until(pilot, lambda: "Configuration applied: limits" in picture(pilot))
        clock.advance(11 * SECOND)
        await until(pilot, lambda: "Configuration applied" not in picture(pilot))


async def test_the_header_says_about_when_the_fullest_limit_is_reached(
    app: SpendtopApp, till: Till, clock: SettableClock
) -> None:
    clock.advance(11 * HOUR)
    till.record(
        *(a_request(hour * 3600, clock(), cost=Cost(reported=Usd.of("4")), user_id=None) for hour in range(1, 240))
    )
    async with app.run_test(size=(140, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "100% about" in picture(pilot))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "100% ~" in picture(pilot))


async def test_a_refusal_stands_before_what_needs_attention_until_it_is_repaired(
    app: SpendtopApp, filled: Till, store: Store, clock: SettableClock
) -> None:
    filled.record(NotUnderstood(source=HELICONE, received_at=clock(), reason="an array", raw=b"[]"))
    told(store, clock(), False, REFUSED)
    clock.advance(3600 * SECOND)
    async with app.run_test(size=(140, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: f"! {SHORT}" in picture(pilot))
        await until(pilot, lambda: "1 not understood: 8 shows them" in picture(pilot))
        await until(pilot, lambda: len(app._notifications) == 1)
        (toast,) = app._notifications
        assert toast.message.splitlines() == REFUSED.splitlines() and not toast.markup
        told(store, clock(), True, "Configuration applied: limits")
        await until(pilot, lambda: SHORT not in picture(pilot))


async def test_enter_shows_a_refusal_whole_and_then_opens_again(
    app: SpendtopApp, filled: Till, store: Store, clock: SettableClock
) -> None:
    told(store, clock(), False, REFUSED)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "enter shows all" in picture(pilot))
        assert "spendtop.toml:3: [limit] usd: must be" in picture(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RefusalScreen))
        assert all(words in picture(pilot) for words in ("/srv/a/long/way", "[ui] theme: no", "goes on"))
        await pilot.press("escape")
        await until(pilot, lambda: ":refusal shows all" in picture(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "requests")
        await pilot.press("colon")
        await typed(pilot, "refusal")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RefusalScreen))
        clock.advance(SECOND)
        told(store, clock(), False, "spendtop.toml:9: [log] level: no such level.")
        await until(pilot, lambda: "[log] level: no such level" in picture(pilot))
        assert "[ui] theme" not in picture(pilot) and "goes on" in picture(pilot)
        clock.advance(SECOND)
        told(store, clock(), True, "Configuration applied: limits")
        await until(pilot, lambda: "It is repaired" in picture(pilot) and "no such level" not in picture(pilot))


async def test_a_new_refusal_is_unread_and_without_one_there_is_nothing_to_read(
    app: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("colon")
        await typed(pilot, "refusal")
        await pilot.press("enter")
        await until(pilot, lambda: "No changed configuration" in "".join(each.message for each in app._notifications))
        for number in (1, 2):
            clock.advance(SECOND)
            told(store, clock(), False, f"spendtop.toml:{number}: no")
            await until(pilot, partial(_shows, pilot, f"spendtop.toml:{number}: no  enter shows all"))
            await pilot.press("enter", "escape")
            await until(pilot, lambda: "enter shows all" not in picture(pilot))


def _shows(pilot: Pilot[int], words: str) -> bool:
    return words in picture(pilot)


async def test_a_refusal_is_over_when_a_collector_applied_something_later(
    app: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    told(store, clock() - SECOND, False, REFUSED)
    with store.reading() as connection:
        known = applied(connection)
    assert known is not None
    with store.writing() as connection:
        keep(connection, known)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "14:03:07" in picture(pilot))
        assert app.headline is not None and app.headline.config_news is not None
        assert "spendtop.toml" not in picture(pilot)
