"""What stored requests cost by the prices and readings of now, beside what they are stored with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, and_, select, tuple_

from spendtop.domain.errors import StoreCorrupt
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.reports.merging import Price, StoredRequest
from spendtop.domain.requests.request import Basis, Cost, Reporter, Request, Usage
from spendtop.domain.sources.records import OTLP, ProviderPush, Source
from spendtop.domain.usage import read_kept, read_response
from spendtop.domain.windows import Bounds, Calendar, bounds, parse_window
from spendtop.services.recording.rows import from_row
from spendtop.store import bodies, dictionaries
from spendtop.store.reads.requests.lists import RequestQuery, conditions
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable

PAGE = 200
"""Requests that are read at once, and corrected in one transaction, for which webhooks wait."""
COMPUTED_HERE = (Basis.COMPUTED, Basis.UNKNOWN)
"""Bases of the costs that may be another one by the prices of now; what somebody reported stays."""
_REQUEST, _BODY = table_of(RequestTable), table_of(BodyTable)
_DAY = parse_window("day")

Reread = Callable[[Request, bytes | None], Request]
"""The request with its usage as this version reads it, from what is kept of it: its usage object, else its bodies as
they are stored."""


class RequestPosition(NamedTuple):
    """Of a request among all, in time order."""

    occurred_at: int
    id: int


class Candidate(NamedTuple):
    """A request that may have another cost now."""

    stored: StoredRequest
    bodies: bytes | None
    """As they are stored, where they are kept and no usage object is."""


class Page(Struct, frozen=True):
    """Some candidates, in time order."""

    after: RequestPosition | None
    """The request before them."""
    candidates: Sequence[Candidate]

    @property
    def is_last(self) -> bool:
        return len(self.candidates) < PAGE

    @property
    def end(self) -> RequestPosition | None:
        """Where the next page begins."""
        if not self.candidates:
            return self.after
        last = self.candidates[-1].stored
        return RequestPosition(last.request.occurred_at, last.id)


class Correction(Struct, frozen=True):
    """One request whose cost is another one now."""

    old: StoredRequest
    new: StoredRequest


def read_page(
    connection: Connection,
    query: RequestQuery,
    context: FilterContext,
    after: RequestPosition | None,
    bases: Iterable[Basis] = COMPUTED_HERE,
) -> Page:
    """The next requests with costs of these bases."""
    position = _REQUEST.c.occurred_at, _REQUEST.c.id
    statement = (
        select(_REQUEST, _BODY.c.data.label("body_data"))
        .outerjoin(_BODY, and_(_BODY.c.request_id == _REQUEST.c.id, _REQUEST.c.provider_usage.is_(None)))
        .where(*conditions(query, context, connection), _REQUEST.c.basis.in_([basis.value for basis in bases]))
        .order_by(*position)
        .limit(PAGE)
    )
    if after is not None:
        statement = statement.where(tuple_(*position) > tuple_(*after))
    candidates = [Candidate(from_row(row), row.body_data) for row in connection.execute(statement)]
    dictionaries.learn_all(connection)
    return Page(after, candidates)


def corrections(candidates: Iterable[Candidate], reread: Reread, price: Price) -> Iterator[Correction]:
    """Those of the requests whose cost is another one by the prices of now."""
    for stored, packed in candidates:
        request = reread(stored.request, packed)
        request = replace(request, cost=price(request))
        if _grounds(request) != _grounds(stored.request):
            yield Correction(stored, replace(stored, request=request, reports=_reports_as(stored, request)))


def _reports_as(stored: StoredRequest, request: Request) -> dict[Source, Request]:
    """What each source states, where that of which the usage was taken states what is read of it now: a further report
    then finds it so."""
    return {
        source: replace(
            each,
            usage=request.usage,
            provider_usage=request.provider_usage,
            service_level=request.service_level,
            inference_geo=request.inference_geo,
            served_model=request.served_model,
        )
        if each.usage == stored.request.usage
        else each
        for source, each in stored.reports.items()
    }


def differing_reports(candidates: Iterable[Candidate], reread: Reread, price: Price) -> Iterator[Correction]:
    """The reported costs beside what would be computed now, where that is known and another amount."""
    for stored, packed in candidates:
        request = reread(stored.request, packed)
        computed = price(request).computed
        if computed is not None and computed != stored.request.cost.amount:
            cost = Cost(amount=computed, basis=Basis.COMPUTED)
            yield Correction(stored, replace(stored, request=replace(request, cost=cost)))


def _grounds(request: Request) -> tuple[object, ...]:
    """A cost and what it rests on; by which list it was computed is no difference."""
    cost = request.cost
    return cost.amount, cost.basis, cost.unpriced_units, cost.level_assumed, request.usage


def as_read_now(request: Request, packed: bytes | None) -> Request:
    """A `Reread`: what a client counted itself, or an instrumentation, is only completed."""
    kept = request.usage_object
    if kept is not None:
        reading = read_kept(kept, request.provider, request.served_model or request.model)
    elif packed is not None:
        asked, answer = _decoded(packed)
        model = request.served_model or request.model
        reading = read_response(answer, asked, provider=request.provider, model=model)
    else:
        return request
    if not reading.usage.is_known:
        return request
    source = request.source
    is_counted_elsewhere = source.written_by_hand or source is OTLP or isinstance(source, ProviderPush)
    cost = request.cost
    if reading.cost is not None:
        cost = replace(cost, reported=reading.cost, reported_by=Reporter.PROVIDER)
    return replace(
        request,
        usage=_completed(request.usage, reading.usage) if is_counted_elsewhere else reading.usage,
        service_level=reading.service_level or request.service_level,
        inference_geo=reading.inference_geo or request.inference_geo,
        served_model=request.served_model or reading.served_model(request.model),
        provider_usage=request.provider_usage or reading.provider_usage,
        cost=cost,
    )


def _decoded(packed: bytes) -> tuple[object, object]:
    """Both bodies' JSON; None for one that is not there, damaged, or no JSON."""
    try:
        asked, answer = bodies.decode(packed)
    except StoreCorrupt:
        return None, None
    return _json(asked), _json(answer)


def _json(body: bytes | None) -> object:
    try:
        return None if body is None else msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _completed(counted: Usage, read: Usage) -> Usage:
    """What is counted, with what else can be read now."""
    gaps = {name: getattr(read, name) for name in Usage.__struct_fields__ if getattr(counted, name) is None}
    return replace(counted, **gaps)


class Difference(Struct):
    """What the prices of now make of some requests."""

    requests: int = 0
    before_nano: int = 0
    """Of their known costs, nano-USD."""
    after_nano: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0

    @property
    def before(self) -> Usd:
        return Usd(self.before_nano)

    @property
    def after(self) -> Usd:
        return Usd(self.after_nano)

    @property
    def change(self) -> Usd:
        return self.after - self.before

    def count(self, before: Cost, after: Cost) -> None:
        """Count one request."""
        self.requests += 1
        self.before_nano += (before.amount or ZERO).nano
        self.after_nano += (after.amount or ZERO).nano
        self.unpriced_before += is_unpriced(before)
        self.unpriced_after += is_unpriced(after)


def is_unpriced(cost: Cost) -> bool:
    return cost.amount is None or cost.partial


class DayOfModel(NamedTuple):
    day: str
    """Local date."""
    model: str
    """Text from outside; empty where none is known."""


class ComparisonExcerpt(Struct, frozen=True):
    """A comparison as a task's result carries it, in JSON."""

    looked_at: int
    whole: Difference
    by_day_and_model: list[tuple[DayOfModel, Difference]]
    left_out: int
    """How many days of models are not in it."""


class CostComparison:
    """What the prices of now make of what is stored, by day and model; requests of shadow tokens are looked at, but
    in no sum."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._by_day_and_model: dict[DayOfModel, Difference] = {}
        self._day, self._day_named = Bounds(0, 0), ""
        self.looked_at = 0
        self.whole = Difference()

    def add(self, page: Page, differing: Iterable[Correction]) -> None:
        self.looked_at += len(page.candidates)
        for each in differing:
            request = each.old.request
            if request.counted:
                named = DayOfModel(self._name_of_day(request.occurred_at), request.model or "")
                self._by_day_and_model.setdefault(named, Difference()).count(request.cost, each.new.request.cost)
                self.whole.count(request.cost, each.new.request.cost)

    @property
    def by_day_and_model(self) -> list[tuple[DayOfModel, Difference]]:
        """Of those whose cost is another one, in order."""
        return sorted(self._by_day_and_model.items())

    def excerpt(self, most: int) -> ComparisonExcerpt:
        """With the days and models that differ most."""
        largest = sorted(self.by_day_and_model, key=lambda item: -abs(item[1].change.nano))[:most]
        left_out = len(self._by_day_and_model) - len(largest)
        return ComparisonExcerpt(self.looked_at, self.whole, sorted(largest), left_out)

    def _name_of_day(self, at: int) -> str:
        """The local date on which the day began; requests come in time order, so that it is mostly the last one's."""
        if at not in self._day:
            self._day = bounds(_DAY, at, self._calendar)
            assert self._day.start_us is not None
            self._day_named = self._calendar.local(self._day.start_us).date().isoformat()
        return self._day_named
