"""What several sources report of one request, in any order, is one request: its fields merge by trust."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from operator import attrgetter
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from spendtop.domain.clock import HOUR
from spendtop.domain.model_names import family
from spendtop.domain.money import Usd
from spendtop.domain.pricing import is_amount
from spendtop.domain.request import REPORTED, BodyState, Cost, Merging, Request, TimeSource, Usage
from spendtop.domain.sources import Source, source_named

_OF_ITSELF, _OF_USAGE = (
    tuple((field.attribute, field.merging) for field in REPORTED if field.part == part) for part in ("", "usage")
)
_REVISED = tuple(field.revision for field in REPORTED if field.revised)
_revised = attrgetter(*(field.path for field in REPORTED if field.revised))
_TIME_RANK = {time_source: rank for rank, time_source in enumerate(TimeSource)}

Price = Callable[[Request], Cost]
"""What a request costs, by its tokens and what a gateway reported."""
WITHIN = HOUR
"""How far apart two sources may date one request."""

_REVISION = re.compile(r"(?:-\d{3,4})+$")
"""`-0613`, `-002`: a release that a family keeps, as at some makers it is another model (`mistral-large-2402`)."""


class StoredRequest(Struct, frozen=True, kw_only=True):
    """What all sources of a request say together."""

    id: int
    request: Request
    """`source` is the most trusted one, `external_id` the id it gave."""
    external_ids: dict[str, str]
    """Every source's id, by source."""
    given_by: dict[str, Source] = field(default_factory=dict)
    """Field to the source that gave it, for fields that the most trusted source did not give."""
    probable_twin_of: int | None = None
    """Another request that probably is the same call, reported through another middleman; both count."""

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, most trusted first."""
        if len(self.external_ids) == 1:
            return tuple(self.external_ids)
        return tuple(sorted(self.external_ids, key=lambda name: source_named(name).trust))

    def giver(self, name: str) -> Source:
        """Who gave a field."""
        return self.given_by.get(name, self.request.source)


def merge(stored: StoredRequest, report: Request, price: Price) -> StoredRequest:
    """The request with one more report, each field as its `Merging` says.

    A cost whose grounds changed is decided anew; the grounds are tokens, model, outcome and reported cost.
    """
    stored, report = _without_shadow(stored, report)
    before = stored.request
    choice = _Choice(stored, report)
    first = report if _prevails(report.source, before.source) else before
    request = replace(
        first,
        **choice.fields(_OF_ITSELF, before, report),
        usage=replace(first.usage, **choice.fields(_OF_USAGE, before.usage, report.usage)),
        body_state=_body_state(before, report, first),
        content=None,
    )
    request = replace(request, cost=replace(before.cost, reported=choice.reported_cost()), **choice.time())
    if _grounds(request) != _grounds(before):
        request = replace(request, cost=price(request))
    return StoredRequest(
        id=stored.id,
        request=request,
        external_ids={report.source.name: report.external_id, **stored.external_ids},
        given_by={name: source for name, source in choice.givers.items() if source is not request.source},
        probable_twin_of=stored.probable_twin_of,
    )


def _without_shadow(stored: StoredRequest, report: Request) -> tuple[StoredRequest, Request]:
    """A request that counts does so under its own token, whichever shadow token it was pushed under as well."""
    if stored.request.counted and not report.counted:
        return stored, replace(report, token=None)
    if report.counted and not stored.request.counted:
        return replace(stored, request=replace(stored.request, token=None)), report
    return stored, report


class _Choice:
    """Chooses field by field, and remembers who gave what was chosen."""

    def __init__(self, stored: StoredRequest, report: Request) -> None:
        self._stored = stored
        self._report = report
        self.givers: dict[str, Source] = {}

    def fields(
        self, fields: Sequence[tuple[str, Merging | None]], known: Request | Usage, report: Request | Usage
    ) -> dict[str, Any]:
        """Those of the attributes that are decided one by one."""
        merged: dict[str, Any] = {}
        for name, merging in fields:
            if merging is Merging.FILL:
                merged[name] = self._filled(name, getattr(known, name), getattr(report, name))
            elif merging is Merging.EITHER:
                merged[name] = getattr(known, name) or getattr(report, name)
            elif merging is Merging.STAY:
                merged[name] = getattr(known, name)
        return merged

    def _filled(self, name: str, known: object, reported: object) -> object:
        giver = self._stored.giver(name)
        if reported is not None and (known is None or _prevails(self._report.source, giver)):
            self.givers[name] = self._report.source
            return reported
        if known is not None:
            self.givers[name] = giver
        return known

    def time(self) -> dict[str, object]:
        """The best known instant: by who measured it, then by trust."""
        known, report = self._stored.request, self._report
        giver = self._stored.giver("occurred_at")
        ranks = _TIME_RANK[report.time_source], _TIME_RANK[known.time_source]
        better = ranks[0] < ranks[1] or (ranks[0] == ranks[1] and _prevails(report.source, giver))
        self.givers["occurred_at"] = report.source if better else giver
        best = report if better else known
        return {name: getattr(best, name) for name in ("occurred_at", "time_source", "time_suspect")}

    def reported_cost(self) -> object:
        """What the most trusted gateway reported; what is no amount gives way to what another one says."""
        known, reported = self._stored.request.cost.reported, self._report.cost.reported
        giver = self._stored.giver("reported_cost")
        if known is not None and reported is not None and giver is not self._report.source:
            if is_amount(known) and not is_amount(reported):
                reported = None
            elif is_amount(reported) and not is_amount(known):
                known = None
        return self._filled("reported_cost", known, reported)


def _prevails(source: Source, over: Source) -> bool:
    """Whether a report replaces what `over` said. Of what is read again and again the last word counts."""
    return source.trust < over.trust or (source is over and source.comes_again)


def _grounds(request: Request) -> tuple[object, ...]:
    """What a cost rests on."""
    cached = request.cached
    return request.provider, request.model, request.usage, request.status, cached, request.cost.reported


def _body_state(known: Request, report: Request, first: Request) -> BodyState:
    """A body that was forgotten does not come back."""
    states = (known.body_state, report.body_state)
    if known.body_state is BodyState.PURGED:
        return BodyState.PURGED
    return BodyState.STORED if BodyState.STORED in states else first.body_state


def differences(old: Request, new: Request) -> dict[str, tuple[object, object]]:
    """Fields whose value changed, for the revision: name to (old, new), as plain JSON values."""
    values = zip(_REVISED, _revised(old), _revised(new), strict=True)
    return {name: (_plain(before), _plain(after)) for name, before, after in values if before != after}


def _plain(value: object) -> object:
    match value:
        case Usd(nano=nano):
            return nano
        case Enum(value=word):
            return word
    return value


def partner(report: Request, candidates: Iterable[StoredRequest]) -> StoredRequest | None:
    """The one record among those with the report's response id that it joins; None where none or several qualify.

    A record qualifies that no report of this source belongs to yet, of the same model, within an hour.
    """
    qualified = [record for record in candidates if _qualifies(report, record)]
    return qualified[0] if len(qualified) == 1 else None


def _qualifies(report: Request, record: StoredRequest) -> bool:
    request = record.request
    return (
        report.source.space not in {source_named(name).space for name in record.external_ids}
        and report.model is not None
        and request.model is not None
        and bare_model(report.model) == bare_model(request.model)
        and abs(report.occurred_at - request.occurred_at) <= WITHIN
    )


def bare_model(name: str) -> str:
    """A model's family without any release, as one source may say the alias and another what it stood for."""
    return _REVISION.sub("", family(name))
