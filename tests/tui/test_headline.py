"""What a changed configuration did, on the screen."""

from __future__ import annotations

import json

from spendtop.domain.clock import SECOND
from spendtop.domain.request import NotUnderstood
from spendtop.domain.sources import HELICONE
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.reads.applied_config import CONFIG_NEWS, applied, keep
from spendtop.tui.app import SpendtopApp
from tests.conftest import SettableClock
from tests.tui.conftest import Till, opened, picture, until

REFUSED = "The changed configuration is refused: [[limit]] daily: amount is missing"


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


async def test_a_refusal_stands_before_what_needs_attention_until_it_is_repaired(
    app: SpendtopApp, filled: Till, store: Store, clock: SettableClock
) -> None:
    filled.record(NotUnderstood(source=HELICONE, received_at=clock(), reason="an array", raw=b"[]"))
    told(store, clock(), False, REFUSED)
    clock.advance(3600 * SECOND)
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "! The changed configuration is refused" in picture(pilot))
        await until(pilot, lambda: "1 not understood: spendtop quarantine" in picture(pilot))
        await until(pilot, lambda: len(app._notifications) == 1)
        (toast,) = app._notifications
        assert toast.message == REFUSED and not toast.markup
        told(store, clock(), True, "Configuration applied: limits")
        await until(pilot, lambda: "! The changed configuration is refused" not in picture(pilot))


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
        assert "refused" not in picture(pilot)
