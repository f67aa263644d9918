"""Costs in words: with what is not in them, with all their digits, and in little room.

An amount is never cut in the middle: where there is no room for it, a shorter form leaves its last digits out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import NANO_PER_USD, Usd, side_by_side

_AMOUNT = re.compile(r"[-+<]*\$[\d.,]*[kMB]?(?:/\$[\d.,]*[kMB]?)?(?: \+ ?[\d., kMGT]+(?:\?| unpriced))?")
"""An amount in a text, with the limit that it is compared with and what is not in it."""
_PLACES = 9
N = TypeVar("N")
_SIZES = ((10**9, "B"), (10**6, "M"), (10**3, "k"))


def known_cost(cost: Usd, requests: int, unpriced: int) -> Usd | None:
    """What so many requests cost, of which `unpriced` have no known cost, or only a known part. None where nothing is
    known of any: that is no zero. Without any request it is 0."""
    return None if 0 < requests == unpriced and not cost.nano else cost


def cost_words(cost: Usd | None, unpriced: int = 0, count: Callable[[int], str] = "{:,}".format) -> str:
    """`$41.82 + 3 unpriced`, and where no cost is known `3 unpriced`, or `unpriced` of a single request.

    `count` is how a face writes numbers.
    """
    missing = f"{count(unpriced)} unpriced" if unpriced else ""
    if cost is None:
        return missing or "unpriced"
    return f"{cost} + {missing}" if missing else str(cost)


def equivalent_words(equivalent: Usd | None, write: Callable[[Usd], str] = str) -> str:
    """What stands in place of a cost of usage under a plan: what it would have cost, or that there is a plan."""
    return "plan" if equivalent is None else f"~{write(equivalent)}"


def bounded(write: Callable[[N], str], output_final: bool) -> Callable[[N], str]:
    """How a cost or a count of output is written that is a lower bound as long as only a part of the output is known:
    `>=$0.12`. An amount that is only written as less than another one is at least nothing: `>=$0`."""
    if output_final:
        return write

    def written(figure: N) -> str:
        words = write(figure)
        return ">=$0" if words.startswith("<") else f">={words}"

    return written


def use_words(used: Usd, unpriced: int, limit: Usd, measure: LimitedValue = LimitedValue.SPEND) -> str:
    """`$5.20 + 3 unpriced of $5.00`, `~$5.20 of $5.00 API-equivalent`: what counts against a limit, and what is not in
    it."""
    amount, most = side_by_side(used, limit)
    missing = f" + {unpriced:,} unpriced" if unpriced else ""
    of_plan = " API-equivalent" if measure is LimitedValue.API_EQUIVALENT else ""
    return f"{measure.sign}{amount}{missing} of {most}{of_plan}"


def exact(amount: Usd) -> str:
    """All digits that there are, at least cents: `$0.000000001`, `$12.50`."""
    whole, part = divmod(abs(amount.nano), NANO_PER_USD)
    digits = f"{part:09}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount.nano < 0 else ''}${whole:,}.{digits}"


def whole_cents(amount: Usd) -> str:
    """An amount of a bill: whole cents; more digits only where there would be none."""
    if not 5_000_000 <= abs(amount.nano) < NANO_PER_USD:
        return str(amount)
    return f"{'-' if amount.nano < 0 else ''}${abs(amount.dollars):.2f}"


def within(amount: Usd, width: int, longest: str = "") -> str:
    """The amount in at most `width` characters with as many digits as fit, none of them rounded up: `$12,345.67`,
    `$12,345`, `$12.3k`, `$12k`; `$0.0001`, `<$0.01`. `longest` is the form where there is room, if not the usual one.

    The shortest form that there is where even that does not fit.
    """
    form = ""
    for form in _forms(amount, longest or str(amount)):
        if len(form) <= width:
            break
    return form


def without_part_of_amount(text: str, kept: str) -> str:
    """The begin of a text that is cut behind `kept`, without an amount that would lose a part of itself: neither
    `$1,0` nor, in place of `$41.82 +3?`, `$41.82`."""
    for amount in _AMOUNT.finditer(text) if "$" in text else ():
        if amount.start() < len(kept) <= amount.end():
            return kept[: amount.start()]
    return kept


def _forms(amount: Usd, longest: str) -> Iterator[str]:
    """From the longest to the shortest."""
    yield longest
    sign, nano = ("-" if amount.nano < 0 else ""), abs(amount.nano)
    if nano >= NANO_PER_USD:
        yield f"{sign}${nano // NANO_PER_USD:,}"
        yield from (f"{sign}${form}" for form in _in_thousands(nano // NANO_PER_USD))
        return
    if not nano:
        yield "$0"
        return
    for places in range(_PLACES, 1, -1):
        digits = nano // 10 ** (_PLACES - places)
        yield f"{sign}$0.{digits:0{places}}" if digits else f"{sign}<$0.{1:0{places}}"
    yield f"{sign}<$1"


def _in_thousands(dollars: int) -> Iterator[str]:
    for size, letter in _SIZES:
        if dollars >= size:
            for places in (2, 1):
                tens = 10**places
                yield f"{dollars // size}.{dollars * tens // size % tens:0{places}}{letter}"
            yield f"{dollars // size}{letter}"
            return
