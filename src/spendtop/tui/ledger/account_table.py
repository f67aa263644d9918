"""Prepaid accounts: what is left, how sure that is, and how long it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_right, laid_over, length

if TYPE_CHECKING:
    from spendtop.store.reads.ledger import AccountNow

_NAME = 12
_MOST_ROWS = 5
_HOW_TO = (
    "No account yet. A prepaid balance is watched once it is configured in spendtop.toml:",
    "",
    "  [openai]                         the account openai, from what OpenAI bills:",
    '  admin_key = "env:OPENAI_ADMIN_KEY"   platform.openai.com/settings/organization/admin-keys',
    "",
    "  [[account]]                      any other balance; a key lets its provider tell it,",
    '  name = "router"                  without one you keep it by hand, here',
    '  provider = "openrouter"',
    '  key = "env:OPENROUTER_KEY"',
    "",
    "Saving the file is enough. Then c takes over the balance on the provider's page.",
)


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    width: int
    cell: Callable[[AccountNow, AccountTable], Piece]
    rank: int = 0
    """Columns of rank 0 stay; others go, the highest rank first."""
    right: bool = True


class AccountTable(Panel):
    """A row per account; the chosen one is lit. Without any: how to get one."""

    class Chosen(Message):
        """An account was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self) -> None:
        super().__init__(id="accounts")
        self.accounts: tuple[AccountNow, ...] = ()
        self.chosen: str | None = None
        self.calendar = Calendar()
        self.now = 0
        self.known = False
        """Whether the accounts were read."""

    @property
    def title_line(self) -> Line:
        """The title."""
        return [("Accounts", self.palette.title)]

    def show(self, accounts: tuple[AccountNow, ...], chosen: str | None, now: int, calendar: Calendar) -> None:
        """Newer figures."""
        self.accounts, self.chosen, self.now, self.calendar, self.known = accounts, chosen, now, calendar, True
        self.styles.height = min(len(accounts), _MOST_ROWS) + 3 if accounts else "1fr"
        self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        """Heads and rows."""
        if not self.accounts:
            return [[(words, self.palette.muted)] for words in _HOW_TO] if self.known else []
        columns = _columns(width)
        name = min(width - 1 - sum(column.width + 1 for column in columns), 30)
        head: list[Piece] = [(" " + fit("ACCOUNT", name, ""), self.palette.faint)]
        for column in columns:
            title = fit_right(column.title, column.width) if column.right else fit(column.title, column.width, "")
            head.append((" " + title, self.palette.faint))
        lines: list[Line] = [head]
        place = next((at for at, each in enumerate(self.accounts) if each.account.name == self.chosen), 0)
        top = max(0, min(place - (height - 2), len(self.accounts) - 1))
        for each in self.accounts[top : top + height - 1]:
            line: list[Piece] = [
                (" ", self.palette.text),
                (fit(clean_line(each.account.name), name, self.glyphs.cut), self.palette.strong),
            ]
            for column in columns:
                text, style = column.cell(each, self)
                text = fit_right(text, column.width) if column.right else fit(text, column.width, self.glyphs.cut)
                line.append((" " + text, style))
            if each.account.name == self.chosen:
                line[0] = (self.glyphs.cursor, self.palette.mark)
                if len(self.accounts) > 1:
                    line = laid_over(line, self.palette.cursor, max(width, length(line)))
            lines.append(line)
        return lines

    def on_click(self, event: events.Click) -> None:
        """Choose the clicked account."""
        if 2 <= event.y < 2 + len(self.accounts):
            self.post_message(self.Chosen(self.accounts[event.y - 2].account.name))


def is_low(each: AccountNow) -> bool:
    """Whether less is left than the account is to hold."""
    low = each.account.low_balance
    return low is not None and each.balance is not None and each.balance < low


def _columns(width: int) -> list[_Column]:
    columns = list(_COLUMNS)
    while _NAME + 1 + sum(column.width + 1 for column in columns) > width and any(each.rank for each in columns):
        columns.remove(max(columns, key=lambda column: column.rank))
    return columns


def _balance(each: AccountNow, table: AccountTable) -> Piece:
    if each.balance is None:
        return "unknown", table.palette.unknown
    basis = "told" if each.account.tells_balance else "est."
    if is_low(each):
        return f"! {each.balance.floored} {basis}", table.palette.bad
    return f"{each.balance.floored} {basis}", table.palette.money


def _low(each: AccountNow, table: AccountTable) -> Piece:
    low = each.account.low_balance
    if low is None:
        return "", table.palette.faint
    if is_low(each):
        return f"below {formats.short_usd(low)}", table.palette.bad
    return f"at {formats.short_usd(low)}", table.palette.faint


def _state(each: AccountNow, table: AccountTable) -> Piece:
    glyphs, palette = table.glyphs, table.palette
    return {
        "ok": (f"{glyphs.good} ok", palette.good),
        "uncalibrated": ("? uncalibrated", palette.warn),
        "stale": ("! stale", palette.bad),
    }[each.state.value]


def _as_of(each: AccountNow, table: AccountTable) -> Piece:
    if each.account.poller is None:
        return "by hand", table.palette.faint
    if each.as_of is None:
        return "never", table.palette.warn
    return formats.age(max(table.now - each.as_of, 0)), table.palette.text


def _burn(each: AccountNow, table: AccountTable) -> Piece:
    if each.burn_per_day is None:
        return formats.UNKNOWN, table.palette.faint
    return formats.cents(each.burn_per_day), table.palette.text


def _runs_out(each: AccountNow, table: AccountTable) -> Piece:
    if each.run_out_at is None:
        return formats.UNKNOWN, table.palette.faint
    if each.run_out_at <= table.now:
        return "! now", table.palette.bad
    soon = each.run_out_at - table.now < 7 * 86_400_000_000
    words = f"~{table.calendar.local(each.run_out_at):%Y-%m-%d}"
    return words, table.palette.warn if soon else table.palette.text


def _calibrated(each: AccountNow, table: AccountTable) -> Piece:
    if each.account.tells_balance:
        return "not needed", table.palette.faint
    if each.calibrated_at is None:
        return "never", table.palette.warn
    return f"{formats.age(max(table.now - each.calibrated_at, 0))} ago", table.palette.text


def _drift(each: AccountNow, table: AccountTable) -> Piece:
    if each.drift is None:
        return formats.UNKNOWN, table.palette.faint
    return formats.change(each.drift), table.palette.text


_COLUMNS = (
    _Column("BALANCE", 16, _balance),
    _Column("LOW", 10, _low, rank=4, right=False),
    _Column("STATE", 14, _state, right=False),
    _Column("AS OF", 7, _as_of, rank=1),
    _Column("BURN/DAY", 9, _burn, rank=3),
    _Column("RUNS OUT", 11, _runs_out, rank=2),
    _Column("CALIBRATED", 10, _calibrated, rank=5),
    _Column("DRIFT", 10, _drift, rank=6),
)
