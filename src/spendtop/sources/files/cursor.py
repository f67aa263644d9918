"""Cursor's usage as its account page exports it: its local database holds no counts that could be trusted.

Times are UTC. What a plan includes is no spend; what is billed on demand is, at Cursor's price.
"""

from __future__ import annotations

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Billing, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import CURSOR
from spendtop.sources.files.rows import FileRow, present

_WRITTEN, _FRESH, _READ, _OUTPUT = "Input (w/ Cache Write)", "Input (w/o Cache Write)", "Cache Read", "Output Tokens"
COLUMNS = ("Date", "Kind", "Model", _WRITTEN, _FRESH, _READ, _OUTPUT)
_BILLED = ("ondemand", "usagebased")
_OWN_KEY = "userapikey"
"""The provider bills these calls, and Cursor says nothing of what they cost."""


def usage_event(row: FileRow, now: int) -> Request:
    """The request of a row. Raises WrongField."""
    at = present(row.instant(now, "Date"), "Date", "a date and time, and not in the future")
    written, fresh, read = row.tokens(_WRITTEN), row.tokens(_FRESH), row.tokens(_READ)
    inputs = [each for each in (written, fresh, read) if each is not None]
    model, output = row.name("Model"), row.tokens(_OUTPUT)
    kind = "".join(filter(str.isalpha, row.name("Kind") or "")).lower()
    is_own = _OWN_KEY in kind
    is_spend = is_own or any(each in kind for each in _BILLED)
    cost = row.dollars("Cost") if is_spend and not is_own else None
    return Request(
        source=CURSOR,
        external_id=f"{at}:{model}:{written}-{fresh}-{read}-{output}",
        received_at=now,
        occurred_at=at,
        time_source=TimeSource.CLIENT,
        model=model,
        status=_status(kind),
        usage=Usage(prompt=sum(inputs) if inputs else None, completion=output, cache_read=read, cache_write=written),
        cost=_cost(cost),
        user_id=row.name("User"),
        billing=Billing.API if is_spend else Billing.SUBSCRIPTION,
        counted=is_spend,
    )


def _cost(amount: Usd | None) -> Cost:
    return Cost(reported=amount, reported_by=None if amount is None else Reporter.GATEWAY)


def _status(kind: str) -> Status:
    if kind.startswith("errored"):
        return Status.ERROR
    return Status.CANCELLED if kind.startswith("aborted") else Status.OK
