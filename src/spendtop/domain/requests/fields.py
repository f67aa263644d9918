"""What fields a request has: how each is stored, merged, exported, read back and shown.

Whatever holds requests (table, rows, exports and their import, API, revisions, screens) derives from `FIELDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, StrEnum, auto
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from msgspec import Struct

from spendtop.domain.requests.request import Cost, RequestFields, Usage


class ValueKind(Enum):
    """What a field's values are: it says how they are stored, exported, read back and shown."""

    TEXT = auto()
    """Text from outside."""
    TEXTS = auto()
    """Names and texts from outside."""
    NAME = auto()
    """Text of our own making."""
    WORD = auto()
    """A member of an enumeration."""
    FLAG = auto()
    INSTANT = auto()
    TOKENS = auto()
    QUANTITIES = auto()
    """By unit, how much."""
    USAGE = auto()
    """A provider's usage object, packed."""
    MILLISECONDS = auto()
    HTTP_STATUS = auto()
    MONEY = auto()
    ID = auto()
    """Our own id."""
    OTHER_ID = auto()
    """Our own id of another request."""
    IDS = auto()
    """By source, the ids that it gave."""
    SOURCES = auto()
    """Names of sources, most trusted first."""


class Merging(Enum):
    """What a further report does to a field."""

    FILL = auto()
    """It fills a gap, or replaces what a less trusted source gave."""
    FOLLOW = auto()
    """The field is as the more trusted of the two reports says."""
    EITHER = auto()
    """True as soon as one report says so."""
    STAY = auto()
    """Nothing."""
    RULE = auto()
    """What a rule of its own says, together with other fields."""


class RequestField(Struct, frozen=True):
    """One field of a request, for all that holds requests."""

    name: str
    """Its name in a flat list of all fields."""
    kind: ValueKind
    label: str | None
    """What people read; None where a face shows it together with another field."""
    merging: Merging | None = Merging.FILL
    """None for what is no part of a report: it follows from the reports together."""
    at: str = ""
    """Where it is found in a request, where that is not its name: `usage.prompt`."""
    required: bool = False
    """Whether an export without it is no export of requests."""
    exact: bool = False
    """Whether an amount is exported in nano-USD as well."""
    shown_at: str = ""
    """Where faces find it, where that is not where a report has it."""
    revised: bool = True
    """Whether a revision says how it changed."""
    revised_as: str = ""
    """Its name in revisions, where that is not its column's."""

    @property
    def path(self) -> str:
        """Attributes that lead from a request to the value, joined by dots."""
        return self.at or self.name

    @property
    def exported_path(self) -> str:
        """Attributes that lead from a request to the value that faces have, joined by dots."""
        return self.shown_at or self.path

    @property
    def part(self) -> str:
        """`usage`, `cost`, or nothing for what a request holds itself."""
        return self.path.rpartition(".")[0]

    @property
    def attribute(self) -> str:
        """The last name of the path."""
        return self.path.rpartition(".")[2]

    @property
    def column(self) -> str:
        return f"{self.name}_nano" if self.kind is ValueKind.MONEY else self.name

    @property
    def exported(self) -> tuple[str, ...]:
        """Its names in exports and in the API; the last one is read back."""
        if self.kind is not ValueKind.MONEY:
            return (self.name,)
        return (f"{self.name}_usd", f"{self.name}_nanousd") if self.exact else (f"{self.name}_usd",)

    @property
    def revision(self) -> str:
        return self.revised_as or self.column

    @property
    def default(self) -> Any:
        """What a report has that does not give it; `msgspec.NODEFAULT` where every report does."""
        return _DECLARED[self.path].default if self.path in _DECLARED else None

    @property
    def words(self) -> type[StrEnum]:
        """Of a field of kind WORD, what its values are."""
        types = msgspec.inspect.type_info(_DECLARED[self.path].type)
        members = types.types if isinstance(types, msgspec.inspect.UnionType) else (types,)
        enums = [each.cls for each in members if isinstance(each, msgspec.inspect.EnumType)]
        return next(each for each in enums if issubclass(each, StrEnum))

    @property
    def text_of_word(self) -> Callable[[Any], Any]:
        """Of a field of kind WORD, what gives a value's text."""
        return attrgetter("_value_") if self.default is not None else lambda word: word and word.value


_DECLARED = {
    f"{part}{field.name}": field
    for part, struct in (("", RequestFields), ("usage.", Usage), ("cost.", Cost))
    for field in msgspec.structs.fields(struct)
}

FIELDS = (
    RequestField("id", ValueKind.ID, "id", None),
    RequestField("external_ids", ValueKind.IDS, "id of", None, required=True),
    RequestField("occurred_at", ValueKind.INSTANT, "time", Merging.RULE, required=True),
    RequestField("time_source", ValueKind.WORD, None, Merging.RULE, required=True),
    RequestField("received_at", ValueKind.INSTANT, "received", Merging.STAY, required=True, revised=False),
    RequestField("provider", ValueKind.TEXT, "provider"),
    RequestField("model", ValueKind.TEXT, "model"),
    RequestField("status", ValueKind.WORD, "status", Merging.FOLLOW, required=True),
    RequestField("http_status", ValueKind.HTTP_STATUS, None),
    RequestField("user_id", ValueKind.TEXT, "user"),
    RequestField("session_id", ValueKind.TEXT, "session"),
    RequestField("session_path", ValueKind.TEXT, "session path"),
    RequestField("token", ValueKind.TEXT, "token"),
    RequestField("properties", ValueKind.TEXTS, "property"),
    RequestField("prompt_tokens", ValueKind.TOKENS, "prompt tokens", at="usage.prompt"),
    RequestField("completion_tokens", ValueKind.TOKENS, "completion tokens", at="usage.completion"),
    RequestField("total_tokens", ValueKind.TOKENS, None, None, at="usage.total"),
    RequestField(
        "cached_tokens", ValueKind.TOKENS, "cache read", at="usage.cache_read", revised_as="cache_read_tokens"
    ),
    RequestField("cache_write_tokens", ValueKind.TOKENS, "cache write", at="usage.cache_write"),
    RequestField("reasoning_tokens", ValueKind.TOKENS, "reasoning", at="usage.reasoning"),
    RequestField("cost", ValueKind.MONEY, "cost", Merging.RULE, at="cost.amount", exact=True),
    RequestField("basis", ValueKind.WORD, None, Merging.RULE, at="cost.basis", required=True),
    RequestField("reported_cost", ValueKind.MONEY, "reported cost", Merging.RULE, at="cost.reported", revised=False),
    RequestField("computed_cost", ValueKind.MONEY, "computed cost", Merging.RULE, at="cost.computed", revised=False),
    RequestField("verified", ValueKind.FLAG, "verified", Merging.EITHER),
    RequestField("cached", ValueKind.FLAG, "gateway's cache", Merging.FOLLOW),
    RequestField("latency_ms", ValueKind.MILLISECONDS, "latency"),
    RequestField("ttft_ms", ValueKind.MILLISECONDS, "first token"),
    RequestField("sources", ValueKind.SOURCES, "sources", None),
    RequestField("response_id", ValueKind.TEXT, "response id"),
    RequestField("time_suspect", ValueKind.FLAG, None, Merging.RULE, revised=False),
    RequestField(
        "price_version", ValueKind.NAME, "price version", Merging.RULE, at="cost.price_version", revised=False
    ),
    RequestField("counted", ValueKind.FLAG, "counted", Merging.EITHER),
    RequestField("body_state", ValueKind.WORD, "bodies", Merging.RULE, revised=False),
    RequestField("quantities", ValueKind.QUANTITIES, "quantity of", at="usage.units", shown_at="usage.quantities"),
    RequestField("service_level", ValueKind.WORD, "service level"),
    RequestField("level_assumed", ValueKind.FLAG, None, Merging.RULE, at="cost.level_assumed", revised=False),
    RequestField("partial", ValueKind.FLAG, None, None, at="cost.partial"),
    RequestField("unpriced_units", ValueKind.QUANTITIES, "unpriced", Merging.RULE, at="cost.unpriced_units"),
    RequestField("reported_by", ValueKind.WORD, "reported by", Merging.RULE, at="cost.reported_by", revised=False),
    RequestField("doubtful", ValueKind.FLAG, "doubtful", Merging.RULE, at="cost.doubtful", revised=False),
    RequestField("probable_twin_of", ValueKind.OTHER_ID, "probable twin of", None),
    RequestField("inference_geo", ValueKind.NAME, "inference in"),
    RequestField("served_model", ValueKind.TEXT, "served model"),
    RequestField("provider_usage", ValueKind.USAGE, None, revised=False),
    RequestField("token_name", ValueKind.TEXT, None, None),
    RequestField("billing", ValueKind.WORD, None),
    RequestField("output_final", ValueKind.FLAG, None, Merging.EITHER),
    RequestField("api_equivalent", ValueKind.MONEY, None, None, at="cost.api_equivalent", exact=True),
    RequestField("imported", ValueKind.FLAG, None, None),
)
"""All fields, in the order in which exports have them; a new one comes last, as scripts rely on the order."""

REPORTED = tuple(field for field in FIELDS if field.merging is not None)
"""What a report consists of."""


def _those_of(part: str) -> tuple[tuple[str, ...], itemgetter[Sequence[Any]]]:
    places = [place for place, field in enumerate(REPORTED) if field.part == part]
    return tuple(REPORTED[place].attribute for place in places), itemgetter(*places)


_OWN, _USAGE, _COST = _those_of(""), _those_of("usage"), _those_of("cost")


def arguments(values: Sequence[Any]) -> dict[str, Any]:
    """Values of `REPORTED`, in its order, as keyword arguments for `Request` or another class with its fields."""
    (own, of_own), (usage, of_usage), (cost, of_cost) = _OWN, _USAGE, _COST
    fields = dict(zip(own, of_own(values), strict=True))
    fields["usage"] = Usage(**dict(zip(usage, of_usage(values), strict=True)))
    fields["cost"] = Cost(**dict(zip(cost, of_cost(values), strict=True)))
    return fields
