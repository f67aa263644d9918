"""The limits in force, as the recording transaction asks about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from spendtop.domain.filters.filters import FilterContext, Subject, fields_of, matches
from spendtop.domain.limits.limit import OWN_DIMENSION, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.price import Price
from spendtop.domain.requests.request import Request
from spendtop.domain.windows import Calendar, WindowKind
from spendtop.store.reads.limits.uses import Ceiling
from spendtop.store.reads.rows import RequestRow
from spendtop.store.reads.tokens.names import token_names


class LimitBook:
    """Which limits a request counts for, and at what amount."""

    def __init__(self, limits: Sequence[Limit], calendar: Calendar, reserves: Mapping[str, Price]) -> None:
        """`reserves` is the ceiling price by limit name, for limits that have one."""
        self.limits = tuple(limits)
        self.calendar = calendar
        self.reserves = reserves
        self.ceilings: Mapping[str, Ceiling] = {
            limit.name: _ceiling(reserves[limit.name], limit.measure) for limit in limits if limit.name in reserves
        }
        """The most that a stored request of unknown cost can have cost, by limit name."""
        self.own_dimensions = {one.name: one.dimension for one in limits if one.dimension.startswith(OWN_DIMENSION)}
        """The dimension of `total` by limit name, for limits that keep totals of their own."""
        self._context = FilterContext(0, calendar)
        self._ask_for_tokens = any("token" in fields_of(limit.where) for limit in limits if limit.where is not None)
        self._token_names: Mapping[str, str] = {}
        self._windowed = _by_measure(limit for limit in limits if limit.window.kind is not WindowKind.REQUEST)
        self._single = _by_measure(limit for limit in limits if limit.window.kind is WindowKind.REQUEST)

    def look_up(self, connection: Connection) -> None:
        """Know what tokens are called at the moment, where a limit asks for them."""
        if self._ask_for_tokens:
            self._token_names = token_names(connection)

    def touched(self, request: Request) -> list[tuple[Limit, str]]:
        """Limits that the request counts for, with the entity it counts for; limits on single requests are not."""
        limits = self._windowed.get(LimitedValue.of(request), ())
        entities = [(limit, self._entity(limit, request)) for limit in limits]
        return [(limit, entity) for limit, entity in entities if entity is not None]

    def broken(self, request: Request) -> Iterator[Limit]:
        """The request limits that this request alone exceeds."""
        for limit in self._single.get(LimitedValue.of(request), ()):
            cost = self.cost(limit, request)
            if cost is not None and cost > limit.amount and self._entity(limit, request) is not None:
                yield limit

    def cost(self, limit: Limit, request: Request) -> Usd | None:
        """What the request counts for: its cost, else what the limit's reserve price makes of it, else unknown; of a
        partial cost the larger of the two."""
        known = limit.measure.amount_of(request.cost)
        if known is not None and not request.cost.partial:
            return known
        reserve = self.reserves.get(limit.name)
        ceiling = reserve.priced(request.usage).amount if reserve else None
        return max(filter(None, (known, ceiling)), default=None)

    def _entity(self, limit: Limit, request: Request) -> str | None:
        if limit.where is not None and not matches(limit.where, self._subject(request), self._context):
            return None
        return "" if limit.each is None else limit.each.value_of(request)

    def _subject(self, request: Request) -> Subject:
        return Subject(
            user=request.user_id,
            model=request.model,
            token=request.token,
            token_name=self._token_names.get(request.token or ""),
            session=request.session_id,
            provider=request.provider,
        )


def _by_measure(limits: Iterable[Limit]) -> Mapping[LimitedValue | None, Sequence[Limit]]:
    listed = list(limits)
    return {measure: [limit for limit in listed if limit.measure is measure] for measure in LimitedValue}


def _ceiling(price: Price, measure: LimitedValue) -> Ceiling:
    def most(row: RequestRow) -> Usd:
        """What it can have cost beyond what is known of it."""
        ceiling = price.priced(row.usage).amount or ZERO
        return max(ceiling - (measure.amount_of(row.cost) or ZERO), ZERO)

    return most
