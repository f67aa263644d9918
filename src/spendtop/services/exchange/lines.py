"""One request as lines that people read, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from spendtop.domain.cost_words import bounded, equivalent_words, exact
from spendtop.domain.pricing.list_version import priced_by
from spendtop.domain.requests.fields import FIELDS, ValueKind
from spendtop.domain.requests.quantity_words import unpriced_words
from spendtop.domain.requests.request import Basis, BodyState, Status
from spendtop.domain.untrusted import clean_line

if TYPE_CHECKING:
    from spendtop.store.reads.requests.detail import RequestDetail
    from spendtop.store.reads.rows import RequestRow

_LABELLED = tuple(each for each in FIELDS if each.label is not None)
_values = attrgetter(*(each.path for each in _LABELLED))
_NAME_LIMIT = 40

BODY_REASONS: Mapping[BodyState, str] = {
    BodyState.NOT_SENT: "The source sent no prompt and response.",
    BodyState.NOT_KEPT: (
        "Prompt and response were not kept: [privacy] or [agents] says so, the disk was nearly full, or an import "
        "brought it without them."
    ),
    BodyState.TRUNCATED: "Prompt or response was too large and was cut at the source.",
    BodyState.PURGED: "Prompt and response were deleted, as [retention] says.",
}
"""Why the prompt or response of a request is not there as a whole."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a face writes what is no plain text."""

    instant: Callable[[int], str]
    tokens: Callable[[int], str]
    milliseconds: Callable[[int], str]
    fields: Mapping[str, Callable[[RequestRow], str | None]] = field(default_factory=dict)
    """By name, the fields that it shows in a way of its own, such as together with another one."""


def request_lines(detail: RequestDetail, wording: Wording) -> Iterator[tuple[str, str | None]]:
    """Label and harmless value of each field; None is unknown."""
    row = detail.row
    by_kind: dict[ValueKind, Callable[[Any], str]] = {
        ValueKind.INSTANT: wording.instant,
        ValueKind.TOKENS: wording.tokens,
        ValueKind.MILLISECONDS: wording.milliseconds,
        ValueKind.MONEY: exact,
        ValueKind.FLAG: lambda flag: "yes" if flag else "no",
        ValueKind.SOURCES: ", ".join,
    }
    for each, value in zip(_LABELLED, _values(row), strict=True):
        label = each.label or ""
        if each.name in wording.fields:
            yield label, wording.fields[each.name](row)
        elif each.name in _TOGETHER:
            yield label, _TOGETHER[each.name](detail)
        elif each.kind is ValueKind.QUANTITIES:
            yield from (
                (f"{label} {clean_line(unit, _NAME_LIMIT)}", f"{count:,}") for unit, count in (value or {}).items()
            )
        elif each.kind in (ValueKind.IDS, ValueKind.TEXTS):
            yield from ((f"{label} {clean_line(name, _NAME_LIMIT)}", clean_line(text)) for name, text in value.items())
        else:
            yield label, None if value is None else by_kind.get(each.kind, _plain)(value)


def exact_cost(row: RequestRow) -> str:
    """The cost with all its digits, or why there is none. A cost in parentheses is in no total."""
    amount, write = row.cost.amount, bounded(exact, row.output_final)
    if row.is_plan:
        return equivalent_words(row.cost.api_equivalent, write)
    if row.cached and not (amount and amount.nano):
        return "cached"
    if amount is None:
        return "unpriced"
    words = write(amount)
    if row.cost.unpriced_units:
        words = f"{words} + {unpriced_words(row.cost.unpriced_units)}"
    return words if row.counted else f"({words})"


def cost_line(detail: RequestDetail) -> str:
    """The cost, where it comes from, and what speaks against it."""
    row = detail.row
    if detail.contradiction is not None:
        return f"unknown: contradictory counts, {detail.contradiction}"
    if row.cost.basis is Basis.PLAN:
        return f"under a plan: in no total, {_equivalent_words(row)}"
    shadow = "" if row.counted else ", shadow token: in no total"
    joint = ":" if row.cost.basis is Basis.UNKNOWN else "," if row.cost.partial else ""
    return f"{exact_cost(row)}{joint} {_basis(row)}{shadow}"


def _equivalent_words(row: RequestRow) -> str:
    """What a call under a plan would have cost."""
    equivalent = row.cost.api_equivalent
    if equivalent is None:
        return "no price is known to say what it would have cost"
    least = "at least " if row.cost.partial or not row.output_final else ""
    return f"{least}{exact(equivalent)} API-equivalent"


def _basis(row: RequestRow) -> str:
    cost = row.cost
    by = f"by the {cost.reported_by}" if cost.reported_by is not None else f"by {row.source}"
    computed = "" if cost.computed is None else exact(cost.computed)
    match cost.basis:
        case Basis.REPORTED if cost.doubtful:
            return f"reported {by}, computed {computed}: one of them is wrong"
        case Basis.REPORTED:
            return f"reported {by} ({f'computed {computed}' if computed else 'no price known to compare'})"
        case Basis.COMPUTED if row.status is Status.ERROR and not row.usage.is_known:
            return "as it failed before anything was used"
        case Basis.COMPUTED:
            untrusted = "" if cost.reported is None else f" ({exact(cost.reported)} reported {by}, not trusted)"
            return f"computed from what it used{untrusted}"
    return "no price is known for this model" if row.usage.is_known else "what it used is not known"


def level_words(row: RequestRow) -> str | None:
    """The service level, and whether its price is known: `batch (standard price assumed)`."""
    if row.service_level is None:
        return None
    return f"{row.service_level}{' (standard price assumed)' if row.cost.level_assumed else ''}"


def _token_words(row: RequestRow) -> str | None:
    """What it is called, and what clients send."""
    if row.token is None or row.token_name in (None, row.token):
        return row.token and f"{row.token}"
    return f"{row.token_name} ({row.token})"


def twin_words(detail: RequestDetail) -> str | None:
    """Which other request probably is the same call, and what to do; None where there is none."""
    twin = detail.row.probable_twin_of
    if twin is None:
        return None
    of = "" if detail.twin_source is None else f" of {clean_line(detail.twin_source)}"
    return f"probably the same call as {twin}{of}; make the token of one of them `--shadow`"


def _verified_words(row: RequestRow) -> str:
    """What Helicone's API confirmed: without a cost of its own the request only."""
    if not row.verified:
        return "no"
    return "yes" if row.cost.basis is Basis.REPORTED else "yes, but for its cost"


def _plain(value: object) -> str:
    return clean_line(str(value))


def _source_words(detail: RequestDetail) -> str:
    """Who reported it, and whether that was by a file alone."""
    names = ", ".join(detail.row.sources)
    return f"{names} (imported)" if detail.row.imported else names


_TOGETHER: Mapping[str, Callable[[RequestDetail], str | None]] = {
    "cost": cost_line,
    "sources": _source_words,
    "token": lambda detail: _token_words(detail.row),
    "service_level": lambda detail: level_words(detail.row),
    "probable_twin_of": twin_words,
    "price_version": lambda detail: priced_by(detail.row.cost.price_version, detail.row.occurred_at),
    "verified": lambda detail: _verified_words(detail.row),
}
"""By name, the fields that every face shows in one way: together with others, or in a sentence."""
