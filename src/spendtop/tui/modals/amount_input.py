"""Amounts of money as people type them."""

from __future__ import annotations

from spendtop.domain.billing import typed
from spendtop.domain.money import Usd


def typed_amount(text: str) -> Usd | None:
    """`42.93`, `$1,042.93` or `-3` in US dollars; None for anything else."""
    try:
        return typed(text)
    except ValueError:
        return None
