"""Draws the README's pictures from the sample data: `python -m tests.pictures` writes `.github/pictures`.

The one of the dashboard is taken by the system's Chromium."""

from __future__ import annotations

import asyncio
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import async_playwright
from textual.pilot import Pilot

from spendtop.collector import from_settings
from spendtop.collector.demo.sample_files import CONFIG, sample_file
from spendtop.collector.demo.sample_ledger import ACCOUNT, POLLER
from spendtop.collector.demo.sample_month import unpack
from spendtop.collector.demo.simulation import fill as fill_demo
from spendtop.config.load import load
from spendtop.domain.clock import HOUR, to_micros
from spendtop.domain.money import Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.store.reads.ledger.balances import Account
from spendtop.tui.app import SpendtopApp
from spendtop.tui.session import AttachedCollector, Session
from tests.api.dashboard.conftest import chromium_program
from tests.api.listening import FakeRecorder, listening, settings_of

FOLDER = Path(__file__).parent.parent / ".github" / "pictures"
NOW = to_micros(datetime(2026, 11, 20, 14, 30, 7, tzinfo=UTC))
SIZE = (140, 40)
WHOLE_SCREENS = {"3": "sessions", "4": "breakdown", "5": "limits", "6": "alerts", "7": "ledger", "8": "sources"}
"""By the key that opens them."""
PAGE_SIZE = (1360, 1310)
"""Pixels."""


def fill(store: Store) -> None:
    """A month of traffic with the demo's limits, and the alerts that follow."""
    settings = load(sample_file(CONFIG), sections=SECTIONS, environ={"SPENDTOP_TIME__ZONE": "UTC"}).settings
    assert store.path is not None
    unpack(store.path, NOW)
    fill_demo(store, settings, NOW, lambda share: None)
    book = from_settings.book_of(settings, PublishedPrices(), NOW)
    info = CollectorInfo(version="0", host="prod", pid=1, url="http://127.0.0.1:8000", started_at=NOW)
    account = Account(
        name=ACCOUNT, provider="openai", poller=POLLER, poll_every=HOUR, low_balance=Usd.of(10), tells_balance=False
    )
    applied = Applied(
        limits=book.limits,
        calendar=book.calendar,
        channels=("ops",),
        accounts=(account,),
        collector=info,
        at=NOW,
        config_digest="",
    )
    with store.writing() as connection:
        keep(connection, applied)


async def draw(store: Store) -> None:
    """The screens as a user sees them."""
    session = Session(
        connect=lambda upgraded: store,
        clock=lambda: NOW,
        collector=lambda: AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=True),
        stop_collector=lambda: None,
        store_name="prod",
    )
    app = SpendtopApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await keep_picture(pilot, "overview")
        await pilot.press("2")
        await pilot.press("slash", *"~u alice ~cost >0.01", "enter")
        await pilot.press("enter")
        await keep_picture(pilot, "request")
        for key, name in WHOLE_SCREENS.items():
            await pilot.press(key)
            await keep_picture(pilot, name)


async def keep_picture(pilot: Pilot[int], name: str) -> None:
    """Write what is on the screen once nothing changes any more."""
    before, now = "", " "
    while before != now:
        await pilot.pause(1.0)
        before, now = now, pilot.app.export_screenshot(title="spendtop")
    (FOLDER / f"{name}.svg").write_text(now)


async def photograph(store: Store) -> None:
    """The top of the dashboard as a browser on this machine shows it."""
    settings = settings_of(time={"zone": "UTC"})
    async with listening(store, lambda: NOW, FakeRecorder(), settings) as live, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_program(), chromium_sandbox=os.geteuid() != 0
        )
        width, height = PAGE_SIZE
        page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark")
        await page.goto(f"http://127.0.0.1:{live.port}/dashboard")
        await page.locator("#feed tr").nth(1).wait_for()
        await page.screenshot(path=FOLDER / "dashboard.png")
        await browser.close()


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/prod.db")
        fill(store)
        asyncio.run(draw(store))
        asyncio.run(photograph(store))
        store.close()


if __name__ == "__main__":
    main()
