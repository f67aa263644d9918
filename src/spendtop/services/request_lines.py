"""One request as lines that people read, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from spendtop.domain.cost_words import exact
from spendtop.domain.request import FIELDS, Basis, ValueKind
from spendtop.domain.untrusted import clean_line

if TYPE_CHECKING:
    from spendtop.store.reads.rows import RequestRow

_LABELLED = tuple(each for each in FIELDS if each.label is not None)
_values = attrgetter(*(each.path for each in _LABELLED))
_NAME_LIMIT = 40


@dataclass(frozen=True, slots=True)
class Wording:
    """How a face writes what is no plain text."""

    instant: Callable[[int], str]
    tokens: Callable[[int], str]
    milliseconds: Callable[[int], str]
    fields: Mapping[str, Callable[[RequestRow], str | None]] = field(default_factory=dict)
    """By name, the fields that it shows in a way of its own, such as together with another one."""


def request_lines(row: RequestRow, wording: Wording) -> Iterator[tuple[str, str | None]]:
    """Label and harmless value of each field; None is unknown."""
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
        elif each.kind is ValueKind.QUANTITIES:
            yield from (
                (f"{label} {clean_line(unit, _NAME_LIMIT)}", f"{count:,}") for unit, count in (value or {}).items()
            )
        elif each.kind in (ValueKind.IDS, ValueKind.TEXTS):
            yield from ((f"{label} {clean_line(name, _NAME_LIMIT)}", clean_line(text)) for name, text in value.items())
        else:
            yield label, None if value is None else by_kind.get(each.kind, _plain)(value)


def verified_words(row: RequestRow) -> str:
    """What Helicone's API confirmed: without a cost of its own the request only."""
    if not row.verified:
        return "no"
    return "yes" if row.cost.basis is Basis.REPORTED else "yes, but for its cost"


def _plain(value: object) -> str:
    return clean_line(str(value))
