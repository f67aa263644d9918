"""The screens by their key. A new screen is one file here and one line below."""

from __future__ import annotations

from typing import NamedTuple


class ScreenEntry(NamedTuple):
    """What the tab bar, help and the app know of a screen."""

    key: str
    title: str
    short: str
    """For narrow terminals."""
    command: str
    """What the `:` line calls it."""
    factory: str
    """`module:Class`, imported when the screen is first opened."""
    help: str


SCREENS: dict[str, ScreenEntry] = {
    "overview": ScreenEntry(
        "1", "Overview", "1Over", "over", "spendtop.tui.overview.screen:OverviewScreen", "spend now, against limits"
    ),
    "requests": ScreenEntry(
        "2",
        "Requests",
        "2Reqs",
        "req",
        "spendtop.tui.requests.screen:RequestsScreen",
        "every request, prompt and response",
    ),
    "sessions": ScreenEntry(
        "3",
        "Sessions",
        "3Sess",
        "sess",
        "spendtop.tui.sessions.screen:SessionsScreen",
        "what each session or job cost, by path and model",
    ),
    "ledger": ScreenEntry(
        "7",
        "Ledger",
        "7Ledgr",
        "ledger",
        "spendtop.tui.ledger.screen:LedgerScreen",
        "prepaid balances, what providers bill, and what we saw of it",
    ),
    "sources": ScreenEntry(
        "8",
        "Sources",
        "8Srcs",
        "sources",
        "spendtop.tui.sources.screen:SourcesScreen",
        "where requests come from, tracking tokens, what was refused",
    ),
}
