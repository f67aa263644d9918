"""Spend of several users against two limits, and the screen over it."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost
from spendtop.tui.app import SpendtopApp
from spendtop.tui.limits.screen import LimitsScreen
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request, opened, until


@pytest.fixture
def spent(till: Till, clock: SettableClock) -> Till:
    """alice over, bob half, nobody near: carol, dora and a user with only unpriced requests far below."""
    now = clock()
    costs = {"alice": "0.61", "bob\x1b[2J-of-a-very-long-name": "0.30", "carol": "0.02", "dora": "0.01"}
    priced = [
        a_request(n, now, external_id=user, user_id=user, cost=Cost(reported=Usd.of(cost)))
        for n, (user, cost) in enumerate(costs.items())
    ]
    till.record(*priced, a_request(9, now, external_id="lab", user_id="lab", model="custom-7b", cost=Cost()))
    return till


async def shown(pilot: Pilot[int], *keys: str) -> LimitsScreen:
    """The screen with its first figures, after these keys."""
    await opened(pilot, "5")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, LimitsScreen) and app.live_screen.table.rows)
    screen = app.live_screen
    assert isinstance(screen, LimitsScreen)
    await pilot.press(*keys)
    await pilot.pause()
    return screen
