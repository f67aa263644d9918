"""One call of a model as the files of a coding agent hold it, and what several of their lines say of it together.

Agents write one call many times: a line per streamed block, again in every fork, archive and copy. Saying it again may
only raise counts and complete what is missing, whichever line is read first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from spendtop.domain.discreet import Discreet
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Billing, Quantities, ServiceLevel

_Value = TypeVar("_Value", int, str, Usd, ServiceLevel)


class Counts(Struct, frozen=True, kw_only=True):
    """Tokens of one call in parts that do not overlap, so that the largest of each fit together. None is unknown."""

    fresh: int | None = None
    """Input that was neither read from a cache nor written to one."""
    cache_read: int | None = None
    cache_write: int | None = None
    """All writes, those that live an hour among them."""
    cache_write_1h: int | None = None
    output: int | None = None
    """With reasoning."""
    reasoning: int | None = None

    @property
    def prompt(self) -> int | None:
        """All input; None where no part of it is known."""
        parts = [part for part in (self.fresh, self.cache_read, self.cache_write) if part is not None]
        return sum(parts) if parts else None

    @property
    def is_used(self) -> bool:
        return bool(self.prompt or self.output)


class AgentCall(Discreet, frozen=True, kw_only=True):
    """Texts are as the agent wrote them; times are UTC microseconds."""

    agent: str
    key: str
    """Its identity among the agent's calls: never a path, a line or a time of reading."""
    aliases: frozenset[str] = frozenset()
    """Other names under which the agent's files hold the same call."""
    rank: int = 0
    """How directly it was told. The smallest stands as it is: nothing but texts is added to it from a larger one."""
    request_id: str | None = None
    """The provider's id of the HTTP request, which the agent's telemetry names."""
    response_id: str | None = None
    occurred_at: int
    begun_at: int
    """When its session began, else when the call did: of copies the oldest one's session keeps the call."""
    provider: str | None = None
    model: str | None = None
    counts: Counts
    units: Quantities = field(default_factory=dict)
    output_final: bool = True
    """Whether the output is all of it; else it is a lower bound."""
    reported: Usd | None = None
    """What the agent itself says that the call cost."""
    level: ServiceLevel | None = None
    geo: str | None = None
    session: str | None = None
    path: str = "/"
    properties: dict[str, str] = field(default_factory=dict)
    asked: str = ""
    """What its user wrote last before it, where texts are read."""
    answered: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Blocks of the answer, each as JSON: when it came, and its place among those that came then."""

    @property
    def names(self) -> frozenset[str]:
        return self.aliases | {self.key}


def billing_of(said: Billing, properties: Mapping[str, str] | None) -> Billing:
    """How a call is paid: one that names its plan is under it, where nobody says."""
    is_under_plan = said is Billing.UNKNOWN and properties is not None and "plan" in properties
    return Billing.SUBSCRIPTION if is_under_plan else said


def merged(one: AgentCall, other: AgentCall) -> AgentCall:
    """What two sayings of one call say together: the same in any order, any grouping and any number of times."""
    names = one.names | other.names
    if one.rank != other.rank:
        best = min(one, other, key=lambda call: call.rank)
        return replace(best, aliases=names - {best.key}, asked=_asked(one, other), answered=_answered(one, other))
    first = min(one, other, key=_place)
    return replace(
        first,
        aliases=names - {first.key},
        request_id=_largest(one.request_id, other.request_id),
        response_id=_largest(one.response_id, other.response_id),
        occurred_at=min(one.occurred_at, other.occurred_at),
        provider=_largest(one.provider, other.provider),
        model=_largest(one.model, other.model),
        counts=_grown(one.counts, other.counts),
        units={unit: max(one.units.get(unit, 0), other.units.get(unit, 0)) for unit in one.units | other.units},
        output_final=one.output_final or other.output_final,
        reported=_largest(one.reported, other.reported),
        level=_largest(one.level, other.level),
        geo=_largest(one.geo, other.geo),
        asked=_asked(one, other),
        answered=_answered(one, other),
    )


def _asked(one: AgentCall, other: AgentCall) -> str:
    return max(one.asked, other.asked, key=lambda text: (len(text), text))


def _answered(one: AgentCall, other: AgentCall) -> dict[str, tuple[int, int]]:
    blocks = {*one.answered, *other.answered}
    return {block: min(each.answered[block] for each in (one, other) if block in each.answered) for block in blocks}


def _place(call: AgentCall) -> tuple[int, str, str, str, list[tuple[str, str]]]:
    """By which of two the call stays in one session: its place, with all that belongs to that."""
    return call.begun_at, call.key, call.session or "", call.path, sorted(call.properties.items())


def _largest(one: _Value | None, other: _Value | None) -> _Value | None:
    """The larger of two; what is known before what is not."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _grown(one: Counts, other: Counts) -> Counts:
    return Counts(
        fresh=_largest(one.fresh, other.fresh),
        cache_read=_largest(one.cache_read, other.cache_read),
        cache_write=_largest(one.cache_write, other.cache_write),
        cache_write_1h=_largest(one.cache_write_1h, other.cache_write_1h),
        output=_largest(one.output, other.output),
        reasoning=_largest(one.reasoning, other.reasoning),
    )
