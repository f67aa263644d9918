"""Sessions as plain values for files, and as text to paste."""

from __future__ import annotations

from collections.abc import Iterable

from spendtop.domain.clock import to_iso
from spendtop.domain.untrusted import clean_line
from spendtop.store.reads.sessions import SessionRow

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


def as_table(rows: Iterable[SessionRow]) -> str:
    """Rows separated by tabs, cleaned, for a spreadsheet's or a chat's paste."""
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(clean_line(_word(value)) for value in record(row).values()) for row in rows]
    return "\n".join(lines) + "\n"


def record(row: SessionRow) -> dict[str, object]:
    """One session as JSON values. A cost that is of no request known is None."""
    known = row.spend.requests > row.spend.unpriced
    values = (
        row.session.raw,
        to_iso(row.first_at),
        to_iso(row.last_at),
        row.spend.requests,
        float(row.spend.cost.dollars) if known else None,
        row.spend.cost.nano if known else None,
        row.spend.unpriced,
        row.spend.prompt_tokens,
        row.spend.completion_tokens,
        row.spend.tokens,
        [model.raw for model in row.models],
    )
    return dict(zip(COLUMNS, values, strict=True))


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)
