"""Families or models as records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.money import Usd

if TYPE_CHECKING:
    from spendtop.tui.overview.questions import ModelRow

COLUMNS = (
    "model",
    "requests",
    "failed",
    "cost_usd",
    "cost_nanousd",
    "unpriced",
    "prompt_tokens",
    "completion_tokens",
    "plan_requests",
    "plan_usd",
    "plan_nanousd",
    "plan_tokens",
)


def record(row: ModelRow) -> dict[str, object]:
    """One row as JSON values. A cost that nobody knows is None; the plan's also where it has no request."""
    spend, plan = row.spend, row.plan
    equivalent = plan.known_cost if plan.requests else None
    return {
        "model": row.key.raw,
        **spend.figures(),
        "prompt_tokens": spend.prompt_tokens,
        "completion_tokens": spend.completion_tokens,
        "plan_requests": plan.requests,
        "plan_usd": Usd.float_of(equivalent),
        "plan_nanousd": Usd.nano_of(equivalent),
        "plan_tokens": plan.tokens,
    }
