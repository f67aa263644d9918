"""Amounts as providers' billing APIs write them: numbers, strings, 36 decimals, zeros with monstrous exponents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

from msgspec import Struct

from spendtop.domain.ledger.bill_kinds import BillKind
from spendtop.domain.ledger.used import Used
from spendtop.domain.money import Usd

_EXACT = Context(prec=60)
_LARGEST = Decimal(10) ** 12
_TYPED = re.compile(r"(-?)\$?((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)")


class NotAnAmount(ValueError):
    """A value that is no finite amount of money. Does not hold the value."""


class CostPart(Struct, frozen=True, kw_only=True):
    """A part of what was billed for one UTC day; what the provider does not name is empty."""

    day: int
    """UTC days since 1970."""
    amount: Decimal
    """US dollars, exact."""
    project: str = ""
    api_key: str = ""
    line_item: str = ""


class UserPart(NamedTuple):
    """What one user was billed for of a day; the same money as the parts, split otherwise."""

    day: int
    user: str
    """Empty where the provider names none."""
    amount: Decimal


class BilledName(NamedTuple):
    """What people call a key, user or project that a bill names by its id."""

    kind: BillKind
    holder: str
    """The id."""
    name: str
    project: str = ""
    """Of a key, what project it belongs to."""


class Costs(Struct, frozen=True, kw_only=True):
    """A whole poll of billed costs: every day from `first_day` to `last_day` that no part names cost nothing."""

    first_day: int
    last_day: int
    parts: tuple[CostPart, ...]
    other_currencies: frozenset[str] = frozenset()
    """Currencies that amounts came in besides US dollars; those amounts are in no part."""
    flaws: tuple[str, ...] = ()
    """What was odd about the answer, a sentence each; such as an amount that was missing."""
    users: tuple[UserPart, ...] | None = None
    """Of all these days; None where this poll does not tell them."""
    used: Used | None = None
    """What was counted beside money; None where this poll does not tell it."""
    names: tuple[BilledName, ...] = ()
    billed_until: int | None = None
    """Up to when the provider has billed what was used, UTC µs; None where it does not say."""
    split: str = ""
    """Tells by what the days are split: parts of another split are no parts that are missing."""


def exact(value: object) -> Decimal:
    """An amount out of JSON (read with `parse_float=Decimal`): a number or its text. Raises NotAnAmount."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise NotAnAmount("is no amount")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise NotAnAmount("is no amount") from None
    if not amount.is_finite() or abs(amount) > _LARGEST:
        raise NotAnAmount("is no finite amount")
    return amount if amount else Decimal(0)


def typed(text: str) -> Usd:
    """US dollars as people type them, such as `42.93`, `$1,042.93` or `-3`. Raises ValueError.

    A comma stands between thousands only: `42,93` is no amount rather than a hundred times what was meant.
    """
    match = _TYPED.fullmatch(text.strip())
    if match is None:
        raise NotAnAmount("is no amount")
    return Usd.of(exact(match[1] + match[2].replace(",", "")))


def total(amounts: Iterable[Decimal]) -> Usd:
    """The exact sum, rounded to nano-USD once."""
    whole = Decimal(0)
    for amount in amounts:
        whole = _EXACT.add(whole, amount)
    return Usd.of(whole)
