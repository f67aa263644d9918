"""Sessions as records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.clock import to_iso
from spendtop.domain.money import Usd

if TYPE_CHECKING:
    from spendtop.store.reads.sessions.sessions import SessionRow

COLUMNS = (
    "session_id",
    "first_at",
    "last_at",
    "requests",
    "cost_usd",
    "cost_nanousd",
    "unpriced",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "models",
)


def record(row: SessionRow) -> dict[str, object]:
    """One session as JSON values. A cost that is of no request priced is None."""
    values = (
        row.session.raw,
        to_iso(row.first_at),
        to_iso(row.last_at),
        row.spend.requests,
        Usd.float_of(row.spend.known_cost),
        Usd.nano_of(row.spend.known_cost),
        row.spend.unpriced,
        row.spend.prompt_tokens,
        row.spend.completion_tokens,
        row.spend.tokens,
        [model.raw for model in row.models],
    )
    return dict(zip(COLUMNS, values, strict=True))
