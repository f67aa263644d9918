"""The form of a span to fill."""

from __future__ import annotations

from spendtop.tui.app import SpendtopApp
from spendtop.tui.sources.backfill import BackfillScreen, SpanDraft
from tests.tui.conftest import opened, picture, typed, until


async def test_gives_both_ends_as_typed(app: SpendtopApp) -> None:
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


async def test_says_why_a_span_could_not_be_used_and_can_be_left(app: SpendtopApp) -> None:
    told: list[SpanDraft | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        app.push_screen(BackfillScreen(SpanDraft(since="[x]"), "'[x]' is not a time."), told.append)
        await until(pilot, lambda: "! '[x]' is not a time." in picture(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: told)
    assert told == [None]
