"""Cells of rows that sum requests: how many, what they cost, and with how many tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Piece
from spendtop.tui.widgets.columns import Ink

if TYPE_CHECKING:
    from spendtop.store.reads.rows import Spend


class SpendRow(Protocol):
    @property
    def spend(self) -> Spend: ...


class PlanRow(Protocol):
    @property
    def plan(self) -> Spend: ...


def plan_cell(row: PlanRow, ink: Ink, width: int) -> Piece:
    """What calls under a plan would have cost."""
    return formats.equivalent(row.plan, width) if row.plan.requests else "", ink.palette.plan


def requests_cell(row: SpendRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.requests), ink.palette.text


def cost_cell(row: SpendRow, ink: Ink, width: int) -> Piece:
    style = ink.palette.unknown if row.spend.known_cost is None else ink.palette.money
    return formats.spend(row.spend, width), style


def tokens_cell(row: SpendRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.tokens), ink.palette.text
