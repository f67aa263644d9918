"""Amounts of money as people type them."""

from __future__ import annotations

from spendtop.domain.billing import exact
from spendtop.domain.money import Usd


def typed_amount(text: str) -> Usd | None:
    """`42.93`, `$1,042.93` or `-3` in US dollars; None for anything else."""
    sign, bare = ("-", text.strip()[1:]) if text.strip().startswith("-") else ("", text.strip())
    try:
        return Usd.of(exact(sign + bare.removeprefix("$").replace(",", "")))
    except ValueError:
        return None
