"""The sums of `Spend` as SQL, over requests and over totals; made once, as each picture needs them many times."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Label, Table, and_, case, func, or_
from sqlalchemy.sql.elements import True_

from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Status
from spendtop.domain.sources.records import LITELLM
from spendtop.store.reads.rows import Spend
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

NAMES = ("requests", "cost_nano", "unpriced", "errors", "prompt_tokens", "completion_tokens", "failed")


def is_unpriced() -> ColumnElement[bool]:
    """Whether a request's cost is not known, or in part. A gateway's cache hit costs nothing, which is known."""
    request = table_of(RequestTable)
    return or_(request.c.cost_nano.is_(None), request.c.unpriced_units.is_not(None))


def is_paid_to(biller: str) -> ColumnElement[bool]:
    """Whether a request is on this one's bill; a LiteLLM proxy counts what it passed on, whoever served it."""
    request = table_of(RequestTable)
    return request.c.source == biller if biller == LITELLM.name else request.c.provider == biller


def is_failed() -> ColumnElement[bool]:
    """Whether a request is an error without any usage, which costs nothing (see `domain.pricing.is_failed`)."""
    return _is_failed(table_of(RequestTable).c.cost_nano)


def _is_failed(cost: ColumnElement[Any]) -> ColumnElement[bool]:
    request = table_of(RequestTable)
    return and_(
        request.c.status == Status.ERROR.value,
        cost == 0,
        func.coalesce(request.c.prompt_tokens, 0) + func.coalesce(request.c.completion_tokens, 0) == 0,
        request.c.quantities.is_(None),
    )


def is_plan() -> ColumnElement[bool]:
    """Whether a request is usage under a plan."""
    return table_of(RequestTable).c.basis == Basis.PLAN.value


class Portion(NamedTuple):
    """Some of the requests, and what is summed of each."""

    cost: ColumnElement[Any]
    """Nano-USD; NULL where it is not known."""
    condition: ColumnElement[bool]

    @property
    def columns(self) -> tuple[Label[Any], ...]:
        """`NAMES`."""
        return _of_requests(self.cost)

    @property
    def is_unpriced(self) -> ColumnElement[bool]:
        """Whether one's cost is not known, or in part."""
        return or_(self.cost.is_(None), table_of(RequestTable).c.unpriced_units.is_not(None))

    def where(self, condition: ColumnElement[bool]) -> Portion:
        """Those of them that meet a condition, too."""
        if isinstance(condition, True_):
            return self
        return Portion(self.cost, and_(self.condition, condition))


@cache
def spent() -> Portion:
    """What counts as spend."""
    request = table_of(RequestTable)
    return Portion(request.c.cost_nano, request.c.counted.is_(True))


@cache
def under_plan() -> Portion:
    """Calls under a plan, with what they would have cost; they count nowhere else."""
    return Portion(_equivalent(), and_(table_of(RequestTable).c.counted.is_(False), is_plan()))


def measured(measure: LimitedValue) -> Portion:
    """What limits of this measure sum."""
    return spent() if measure is LimitedValue.SPEND else under_plan()


def of_requests() -> tuple[Label[Any], ...]:
    """Columns `NAMES` summed over rows of `request`."""
    return _of_requests(table_of(RequestTable).c.cost_nano)


def of_plan() -> tuple[Label[Any], ...]:
    """The same over calls under a plan, with what they would have cost."""
    return _of_requests(_equivalent())


@cache
def of_all() -> tuple[Label[Any], ...]:
    """The same over any requests: those under a plan with what they would have cost."""
    return _of_requests(case((is_plan(), _equivalent()), else_=table_of(RequestTable).c.cost_nano))


@cache
def _equivalent() -> ColumnElement[Any]:
    request = table_of(RequestTable)
    return func.coalesce(request.c.computed_cost_nano, request.c.reported_cost_nano)


@cache
def _of_requests(cost: ColumnElement[Any]) -> tuple[Label[Any], ...]:
    request = table_of(RequestTable)
    failed = request.c.status == Status.ERROR.value
    unpriced = or_(cost.is_(None), request.c.unpriced_units.is_not(None))
    return (
        func.count().label("requests"),
        _sum(cost).label("cost_nano"),
        _sum(case((unpriced, 1), else_=0)).label("unpriced"),
        _sum(case((failed, 1), else_=0)).label("errors"),
        _sum(request.c.prompt_tokens).label("prompt_tokens"),
        _sum(request.c.completion_tokens).label("completion_tokens"),
        _sum(case((_is_failed(cost), 1), else_=0)).label("failed"),
    )


@cache
def of_totals(total: Table) -> tuple[Label[Any], ...]:
    """Columns `NAMES` summed over rows of `total` or `day_total`, thereby over shards."""
    return tuple(_sum(total.c[name]).label(name) for name in NAMES)


def to_spend(row: Any) -> Spend:
    """A row whose first columns are `NAMES`."""
    requests, cost, *counts = map(int, row[: len(NAMES)])
    return Spend(requests, Usd(cost), *counts)


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)
