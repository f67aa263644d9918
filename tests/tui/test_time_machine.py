"""Every screen as of an instant of before."""

from __future__ import annotations

from spendtop.domain.clock import HOUR
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost
from spendtop.tui.app import SpendtopApp
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request, opened, picture, until

HOURS_AGO = (1, 3, 30)


async def test_all_screens_are_of_that_time_and_now_goes_on(app: SpendtopApp, till: Till, clock: SettableClock) -> None:
    paid = Cost(reported=Usd.of("2"))
    till.record(
        *(a_request(0, clock() - ago * HOUR, external_id=f"{ago}", user_id=f"by-{ago}", cost=paid) for ago in HOURS_AGO)
    )
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 63" in picture(pilot))
        app.commands.run("at 12:00")
        await until(pilot, lambda: "row 1 of 2" in picture(pilot) and "today $2.00" in picture(pilot))
        shown = picture(pilot)
        assert "AT 2026-11-20 12:00" in shown.splitlines()[0] and "LIVE" not in shown
        assert "THE PAST" in shown and "today $2.00" in shown
        assert "F follow" not in shown and "p pause" not in shown
        await pilot.press("F", "p")
        assert app.pause is None and "AT 2026-11-20 12:00" in picture(pilot)
        assert [each.message for each in app._notifications] == ["The past stands still by itself; :now goes back."]
        app.clear_notifications()
        till.record(a_request(0, clock() - 4 * HOUR, external_id="late", user_id="latecomer"))
        await pilot.press("5")
        await until(pilot, lambda: "as configured from 14:03 on" in picture(pilot))
        assert "new limit" not in picture(pilot) and "raise" not in picture(pilot)
        await pilot.press("1")
        await until(pilot, lambda: "Users today" in picture(pilot) and "by-3" in picture(pilot))
        assert "by-1 " not in picture(pilot) and "alice" not in picture(pilot)
        await pilot.press("left_parenthesis")
        await until(pilot, lambda: "AT 2026-11-19 12:00" in picture(pilot) and "by-3 " not in picture(pilot))
        assert "by-30" in picture(pilot)
        await pilot.press("left_parenthesis")
        await until(pilot, lambda: app._notifications)
        (told,) = app._notifications
        assert told.message.startswith(
            "There is nothing to see at 2026-11-18 12:00: the store has requests from 2026-11-19"
        )
        await pilot.press("8", "n")
        await until(pilot, lambda: len(app._notifications) == 2)
        assert "new token" not in picture(pilot)
        await pilot.press("1", "right_parenthesis", "right_parenthesis")
        await until(pilot, lambda: "LIVE" in picture(pilot) and "alice" in picture(pilot))
        await pilot.press("2")
        await until(pilot, lambda: "row 1 of 64" in picture(pilot))
        assert "F follow" in picture(pilot) and "p pause" in picture(pilot)


async def test_what_is_no_time_of_before_is_said(app: SpendtopApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        for words in ("noon", "2027-01-01"):
            app.commands.run(f"at {words}")
        await until(pilot, lambda: len(app._notifications) == 2)
        told = [each.message for each in app._notifications]
        assert told[0].startswith("'noon' is not a time.") and told[1].startswith("2027-01-01 00:00 has not been yet.")
        app.commands.run("now")
        assert "LIVE" in picture(pilot)
