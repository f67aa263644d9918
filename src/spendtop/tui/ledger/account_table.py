"""Prepaid accounts: what is left, how sure that is, and how long it lasts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spendtop.domain.clock import age
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Piece
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.table import ListTable, TableRows

if TYPE_CHECKING:
    from spendtop.store.reads.ledger.accounts import AccountNow

_MOST_ROWS = 5
_HOW_TO = (
    "No account yet. A prepaid balance is watched once spendtop.toml has it:",
    "",
    "  [openai]                    # from what OpenAI bills",
    "  # platform.openai.com/settings/organization/admin-keys",
    '  admin_key = "env:OPENAI_ADMIN_KEY"',
    "",
    "  [[account]]                 # any other balance",
    '  name = "router"',
    '  provider = "openrouter"',
    '  key = "env:OPENROUTER_KEY"  # without it: by hand, here',
    "",
    "Saving the file is enough. Then c takes over the balance on the provider's page.",
)


class AccountTable(ListTable["AccountNow", str]):
    """A row per account; the chosen one is lit. Without any: how to get one."""

    def __init__(self) -> None:
        super().__init__("Accounts", id="accounts")

    def layouts(self) -> Sequence[Columns[AccountNow]]:
        return (_COLUMNS,)

    def key(self, row: AccountNow) -> str:
        return row.account.name

    @property
    def lights_cursor(self) -> bool:
        """Only where there is something to choose."""
        return len(self.rows) > 1

    def show(self, rows: TableRows[AccountNow]) -> None:
        super().show(rows)
        self.styles.height = min(len(rows), _MOST_ROWS) + 3 if len(rows) else "1fr"

    def content(self, width: int, height: int) -> list[Line]:
        if self.is_empty:
            parts = [part for words in _HOW_TO for part in textwrap.wrap(words, width) or [""]]
            return [[(part, self.palette.muted)] for part in (filter(None, parts) if len(parts) > height else parts)]
        return super().content(width, height)


def is_low(each: AccountNow) -> bool:
    """Whether less is left than the account is to hold."""
    low = each.account.low_balance
    return low is not None and each.balance is not None and each.balance < low


def _name(each: AccountNow, ink: Ink, width: int) -> Piece:
    return clean_line(each.account.name), ink.palette.strong


_BASIS = {"told": "told", "billed": "est.", "seen": "~est.", "entered": "hand"}
"""By what lowers the balance; the state says more."""


def _balance(each: AccountNow, ink: Ink, width: int) -> Piece:
    if each.balance is None:
        return "unknown", ink.palette.unknown
    basis = _BASIS[each.account.basis.value]
    if is_low(each):
        return f"! {formats.balance(each.balance, width - 3 - len(basis))} {basis}", ink.palette.bad
    return f"{formats.balance(each.balance, width - 1 - len(basis))} {basis}", ink.palette.money


def _low(each: AccountNow, ink: Ink, width: int) -> Piece:
    low = each.account.low_balance
    if low is None:
        return "", ink.palette.faint
    if is_low(each):
        return f"below {formats.short_usd(low, width - 6)}", ink.palette.bad
    return f"at {formats.short_usd(low, width - 3)}", ink.palette.faint


def _state(each: AccountNow, ink: Ink, width: int) -> Piece:
    glyphs, palette = ink.glyphs, ink.palette
    if each.is_estimate and each.state.value == "ok":
        return "~ estimate", palette.warn
    if each.awaits_answer:
        return (".. no answer", palette.warn) if each.failure is None else ("! no answer", palette.bad)
    return {
        "ok": (f"{glyphs.good} ok", palette.good),
        "uncalibrated": ("? uncalibrated", palette.warn),
        "stale": ("! stale", palette.bad),
    }[each.state.value]


def _as_of(each: AccountNow, ink: Ink, width: int) -> Piece:
    if each.account.poller is None:
        return ("seen" if each.is_estimate else "by hand"), ink.palette.faint
    if each.as_of is None:
        return "never", ink.palette.warn
    return age(max(ink.now - each.as_of, 0)), ink.palette.text


def _burn(each: AccountNow, ink: Ink, width: int) -> Piece:
    if each.burn_per_day is None:
        return formats.UNKNOWN, ink.palette.faint
    return formats.cents(each.burn_per_day, width), ink.palette.text


def _runs_out(each: AccountNow, ink: Ink, width: int) -> Piece:
    if each.run_out_at is None:
        return formats.UNKNOWN, ink.palette.faint
    if each.run_out_at <= ink.now:
        return "! now", ink.palette.bad
    soon = each.run_out_at - ink.now < 7 * 86_400_000_000
    words = f"~{ink.calendar.local(each.run_out_at):%Y-%m-%d}"
    return words, ink.palette.warn if soon else ink.palette.text


def _calibrated(each: AccountNow, ink: Ink, width: int) -> Piece:
    if each.account.tells_balance:
        return "not needed", ink.palette.faint
    if each.calibrated_at is None:
        return "never", ink.palette.warn
    return f"{age(max(ink.now - each.calibrated_at, 0))} ago", ink.palette.text


def _drift(each: AccountNow, ink: Ink, width: int) -> Piece:
    if each.drift is None:
        return formats.UNKNOWN, ink.palette.faint
    return formats.change(each.drift, width), ink.palette.text


_COLUMNS = (
    Column("ACCOUNT", 12, _name, wished=30),
    Column("BALANCE", 16, _balance, right=True),
    Column("LOW", 10, _low, rank=4),
    Column("STATE", 14, _state),
    Column("AS OF", 7, _as_of, rank=1, right=True),
    Column("BURN/DAY", 9, _burn, rank=3, right=True),
    Column("RUNS OUT", 11, _runs_out, rank=2, right=True),
    Column("CALIBRATED", 10, _calibrated, rank=5, right=True),
    Column("DRIFT", 10, _drift, rank=6, right=True),
)
