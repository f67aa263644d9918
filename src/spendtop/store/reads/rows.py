"""One stored request as faces see it, and the sums that every total consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from operator import itemgetter
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder
from sqlalchemy import ColumnElement

from spendtop.domain.cost_words import cost_words, known_cost
from spendtop.domain.money import Usd
from spendtop.domain.requests.fields import REPORTED, RequestField, ValueKind, arguments
from spendtop.domain.requests.request import Quantities, RequestFields
from spendtop.domain.sources.records import ImportedSource, source_named
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.tokens.names import name_column
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


class RequestRow(RequestFields[Untrusted], frozen=True, kw_only=True):
    """One LLM API call as faces see it. None is unknown."""

    id: int
    source: str
    """The most trusted source that reported it."""
    sources: tuple[str, ...]
    external_ids: dict[str, str]
    """Source name to the id it gave."""
    properties: dict[str, str]
    probable_twin_of: int | None = None
    """Another request that probably is the same call, reported through another middleman; both count."""
    token_name: Untrusted | None = None
    """Of the token that is there still."""

    @property
    def imported(self) -> bool:
        """Whether only other tools' files tell of it; they are trusted less than all who report by themselves."""
        return isinstance(source_named(self.source), ImportedSource)

    @property
    def token_label(self) -> Untrusted | None:
        """What people read for its tracking token."""
        return self.token_name or self.token


def selected() -> tuple[ColumnElement[Any], ...]:
    """What `from_row` reads."""
    request = table_of(RequestTable)
    return (*request.c, name_column(request.c.token).label("token_name"))


def from_row(row: Sequence[Any]) -> RequestRow:
    """A row that begins with `selected`."""
    id, source, sources, external_ids, twin = _identity_of(row)
    return RequestRow(
        id=id,
        source=source,
        sources=tuple(sources.split(",")),
        external_ids=TEXTS.decode(external_ids),
        probable_twin_of=twin,
        token_name=outside(row[_TOKEN_NAME]),
        **fields_of(row, _FOR_FACES),
    )


def outside(text: str | None) -> Untrusted | None:
    """Text that came from outside, or None."""
    return None if text is None else Untrusted(text)


Conversions = Sequence[tuple[int, Callable[[Any], Any]]]
"""Which of the columns of a request's fields are not the values themselves, and what makes these of them."""


def columns(*names: str) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What gets these columns from a row that begins with all columns of the table `request`.

    They are known by their places, as looking up names is what takes most of the time in reading a row.
    """
    places = {column.name: place for place, column in enumerate(table_of(RequestTable).c)}
    return itemgetter(*(places[name] for name in names))


def fields_of(row: Sequence[Any], conversions: Conversions) -> dict[str, Any]:
    """The fields of a request as keyword arguments for a class that has them."""
    values = list(_columns_of(row))
    for place, convert in conversions:
        values[place] = convert(values[place])
    return arguments(values)


def conversions(by_kind: Mapping[ValueKind, Callable[[Any], Any]]) -> Conversions:
    """Those that all need, and `by_kind` those of one's own."""
    kinds: dict[ValueKind, Callable[[Any], Any]] = {
        ValueKind.FLAG: bool,
        ValueKind.MONEY: Usd.of_nano,
        ValueKind.QUANTITIES: lambda quantities: QUANTITIES.decode(quantities) if quantities else None,
        **by_kind,
    }
    return tuple(
        (place, _word(field) if field.kind is ValueKind.WORD else kinds[field.kind])
        for place, field in enumerate(REPORTED)
        if field.kind is ValueKind.WORD or field.kind in kinds
    )


def _word(field: RequestField) -> Callable[[Any], Any]:
    words: dict[str | None, Any] = {word.value: word for word in field.words}
    if field.default is None:
        words[None] = None
    return words.__getitem__


TEXTS = Decoder(dict[str, str])
QUANTITIES = Decoder(Quantities)
_identity_of = columns("id", "source", "sources", "external_ids", "probable_twin_of")
_TOKEN_NAME = len(table_of(RequestTable).c)
_columns_of = columns(*(field.column for field in REPORTED))
_FOR_FACES = conversions({ValueKind.TEXT: outside, ValueKind.TEXTS: lambda texts: TEXTS.decode(texts) if texts else {}})


class Spend(Struct, frozen=True):
    """Sums over requests. `cost` adds the known costs; `unpriced` counts those whose cost is not known, or in part."""

    requests: int
    cost: Usd
    unpriced: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    failed: int = 0
    """Errors without any usage, which cost nothing."""

    @classmethod
    def nothing(cls) -> Spend:
        """The sum over no requests."""
        return cls(0, Usd(0), 0, 0, 0, 0, 0)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def known_cost(self) -> Usd | None:
        """None where there are requests and the cost of none is known: that is no zero."""
        return known_cost(self.cost, self.requests, self.unpriced)

    @property
    def words(self) -> str:
        """The cost for people: `$41.82 + 3 unpriced`, `3 unpriced`."""
        return cost_words(self.known_cost, self.unpriced)

    def figures(self) -> dict[str, Any]:
        """What every face that is read by programs says of a sum, besides its tokens."""
        known = self.known_cost
        return {
            "cost_usd": Usd.float_of(known),
            "cost_nanousd": Usd.nano_of(known),
            "requests": self.requests,
            "unpriced": self.unpriced,
            "failed": self.failed,
        }

    def share_of(self, whole: Spend) -> float | None:
        """Its part of the known cost of `whole`; None where its own is not known."""
        return None if self.known_cost is None else self.cost.share_of(whole.cost) or 0.0

    @property
    def average(self) -> Usd | None:
        """Cost per priced request, rounded half-even to nano-USD; None when no request is priced."""
        priced = self.requests - self.unpriced
        return Usd(round(Fraction(self.cost.nano, priced))) if priced else None

    def mean(self, part: int, whole: int) -> Spend:
        """`part` of `whole` equal parts, each figure rounded down."""
        counts = (self.unpriced, self.errors, self.prompt_tokens, self.completion_tokens, self.failed)
        return Spend(
            self.requests * part // whole,
            Usd(self.cost.nano * part // whole),
            *(count * part // whole for count in counts),
        )

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            self.requests + other.requests,
            self.cost + other.cost,
            self.unpriced + other.unpriced,
            self.errors + other.errors,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.failed + other.failed,
        )

    def __sub__(self, other: Spend) -> Spend:
        return Spend(
            self.requests - other.requests,
            self.cost - other.cost,
            self.unpriced - other.unpriced,
            self.errors - other.errors,
            self.prompt_tokens - other.prompt_tokens,
            self.completion_tokens - other.completion_tokens,
            self.failed - other.failed,
        )
