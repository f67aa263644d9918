"""The screens by their name. A new screen is a folder of that name beside this one, and a line below.

Tabs, digit keys, help, palette, commands, ids of the keymap and the README's table of keys are made from here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from spendtop.tui.screens.live_screen import LiveScreen


class ScreenEntry(NamedTuple):
    """What the tab bar, help and the app know of a screen."""

    key: str
    title: str
    short: str
    """For narrow terminals."""
    command: str
    """What the `:` line calls it."""
    screen: str
    """Its class, in `screen.py` of its folder; imported when the screen is first opened."""
    help: str


SCREENS: dict[str, ScreenEntry] = {
    "overview": ScreenEntry("1", "Overview", "1Over", "over", "OverviewScreen", "spend now, against limits"),
    "requests": ScreenEntry("2", "Requests", "2Reqs", "req", "RequestsScreen", "every request, prompt and response"),
    "sessions": ScreenEntry(
        "3", "Sessions", "3Sess", "sess", "SessionsScreen", "what each session or job cost, by path and model"
    ),
    "breakdown": ScreenEntry(
        "4", "Breakdown", "4Break", "breakdown", "BreakdownScreen", "who, what and when by each other, and what changed"
    ),
    "limits": ScreenEntry(
        "5", "Limits", "5Limit", "limits", "LimitsScreen", "every limit, how full it is for whom, and why"
    ),
    "alerts": ScreenEntry(
        "6", "Alerts", "6Alert", "alerts", "AlertsScreen", "what calls for somebody, and who was told of it"
    ),
    "ledger": ScreenEntry(
        "7",
        "Ledger",
        "7Ledgr",
        "ledger",
        "LedgerScreen",
        "prepaid balances, what providers bill, and what we saw of it",
    ),
    "sources": ScreenEntry(
        "8",
        "Sources",
        "8Srcs",
        "sources",
        "SourcesScreen",
        "where requests come from, tracking tokens, what was refused",
    ),
}
FIRST = next(iter(SCREENS))


def screen_class(name: str) -> type[LiveScreen]:
    module = importlib.import_module(f"spendtop.tui.{name}.screen")
    return cast("type[LiveScreen]", getattr(module, SCREENS[name].screen))
