"""What is asked of Helicone's query API: rows of a span, its totals, one request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import msgspec
from msgspec import Raw

from spendtop.domain.clock import SECOND, to_datetime
from spendtop.domain.money import Usd
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.helicone_access import WHO, ask, helicone
from spendtop.sources.pollers.http_client import USUAL, Bounds, Poll

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_Filter: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class Totals:
    """What Helicone has of a span."""

    requests: int
    cost: Usd
    """Without hits in Helicone's cache, which cost nothing."""


class HeliconeQueries:
    """Asks for what Helicone has. Instants are UTC µs of whole seconds; spans end before `until`."""

    def __init__(self, key: str, base_url: str, bounds: Bounds = USUAL) -> None:
        self._fetcher = helicone(key, base_url, bounds)
        self._rows = msgspec.json.Decoder(list[Raw])

    async def rows(self, since: int, until: int, offset: int, limit: int) -> list[Raw]:
        """Rows of a span, oldest first, each as JSON. Fewer than `limit` is not the end, none is.

        Raises AnswerTooLarge and PollFailed.
        """
        body = {
            "filter": _between(since, until),
            "offset": offset,
            "limit": limit,
            "sort": {"created_at": "asc"},
        }
        async with self._fetcher.poll() as poll:
            data = await ask(poll, "POST", "/v1/request/query-clickhouse", body=body)
        try:
            return [row for row in self._rows.decode(data) if bytes(row) != b"null"]
        except ValueError:
            raise _undocumented() from None

    async def totals(self, since: int, until: int) -> Totals:
        """How many requests a span has, and what they cost. Raises PollFailed."""
        span = _between(since, until)
        times = {"start": _iso(since), "end": _iso(until)}
        paid = _both(span, _leaf("cached", "equals", False))
        async with self._fetcher.poll() as poll:
            requests = await _number(poll, "/v1/metrics/totalRequests", {"filter": span, "timeFilter": times})
            cost = await _number(poll, "/v1/metrics/totalCost", {"filter": paid, "timeFilter": times})
        try:
            return Totals(int(requests), Usd.of(cost))
        except (ValueError, ArithmeticError):
            raise _undocumented() from None

    async def row(self, request_id: str) -> bytes | None:
        """One request's row with its bodies, or None where Helicone has none by this id. Raises PollFailed."""
        if _ID.fullmatch(request_id) is None:
            return None
        async with self._fetcher.poll() as poll:
            data = await ask(poll, "GET", f"/v1/request/{request_id}", query=(("includeBody", "true"),))
        return data or None


async def _number(poll: Poll, path: str, body: object) -> Decimal:
    try:
        return msgspec.json.decode(await ask(poll, "POST", path, body=body), type=Decimal)
    except ValueError:
        raise _undocumented() from None


def _undocumented() -> PollFailed:
    return PollFailed(f"{WHO}'s answer is not as documented; a newer spendtop may be needed")


def _between(since: int, until: int) -> _Filter:
    return _both(
        _leaf("request_created_at", "gte", _iso(since)),
        _leaf("request_created_at", "lt", _iso(until)),
    )


def _both(left: _Filter, right: _Filter) -> _Filter:
    return {"left": left, "operator": "and", "right": right}


def _leaf(column: str, operator: str, value: object) -> _Filter:
    """One column and one operator: Helicone ignores all further ones of a leaf."""
    return {"request_response_rmt": {column: {operator: value}}}


def _iso(micros: int) -> str:
    return to_datetime(micros - micros % SECOND).strftime("%Y-%m-%dT%H:%M:%SZ")
