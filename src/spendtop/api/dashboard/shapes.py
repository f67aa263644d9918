"""The JSON that only the dashboard asks for."""

from __future__ import annotations

from pydantic import BaseModel

from spendtop.api.shapes.ledger import AccountItem
from spendtop.api.shapes.spending import Sums
from spendtop.domain.clock import to_iso
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span


class ConditionItem(BaseModel):
    """One thing that is amiss."""

    name: str
    status: str
    """notice, degraded or down."""
    sentence: str
    since: str


class StateAnswer(BaseModel):
    """How it stands, and how the page is to show it."""

    version: str
    at: str
    zone: str
    """IANA name of the zone of local days, in which the page shows times."""
    status: str
    """healthy, degraded or down."""
    conditions: list[ConditionItem]
    """The worst first."""
    signed_in: bool
    """Whether there is a sign-in that can be ended."""
    shows_bodies: bool
    today: Sums
    """Of the local day."""
    last_hour: Sums
    balances: list[AccountItem]


class ChartBar(Sums):
    """Spend of one part of a span."""

    since: str
    until: str

    @classmethod
    def of(cls, part: Span, spent: Spend) -> ChartBar:
        assert part.since is not None and part.until is not None
        return cls(since=to_iso(part.since), until=to_iso(part.until), **spent.figures())


class ChartAnswer(BaseModel):
    """Spend over time: all parts of a span in their order, also the empty ones."""

    bars: list[ChartBar]
