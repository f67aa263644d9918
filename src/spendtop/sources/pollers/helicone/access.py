"""Asking Helicone: one place for its key, its two regions, the envelope of its answers, and what is asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.clock import SECOND, to_datetime
from spendtop.domain.money import Usd
from spendtop.sources.helicone_rows import SESSION_PROPERTY
from spendtop.sources.pollers import KeyRefused, PollFailed, wrong_kind
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, FetchedAnswer, Fetcher, Poll, Query, Rejected
from spendtop.sources.repaired_json import decoded

WHO = "Helicone"
_US, _EU = "https://api.helicone.ai", "https://eu.api.helicone.ai"
_EU_KEYS = "sk-helicone-eu-"
_OTHER_KIND = "The key looks like"
_WHERE = "Set api_key in [helicone]"


class _Envelope(Struct):
    data: Raw = Raw()
    error: Raw = Raw()


def helicone(key: str, base_url: str = _US, bounds: FetchBounds = USUAL) -> Fetcher:
    """What asks Helicone with this key; its refusals name a wrong region and a key that may only read."""

    def advise(status: int, message: str) -> str:
        return advice(key, base_url, status, message)

    return Fetcher(WHO, base_url, {"Authorization": f"Bearer {key}"}, advise=advise, bounds=bounds)


async def ask(poll: Poll, method: str, path: str, *, query: Query = (), body: object = None) -> bytes:
    """The JSON of an answer's `data`, empty where it has none.

    Raises KeyRefused, Rejected, AnswerTooLarge, and PollFailed also for an answer that only tells of an error.
    """
    try:
        answer = await poll.answer(method, path, query=query, body=body)
    except Rejected as rejected:
        if rejected.status == 400:
            raise KeyRefused(f"{WHO} cannot read the key (400). {_WHERE} anew.") from None
        raise
    envelope = await asyncio.to_thread(_opened, poll, answer)
    if bytes(envelope.error) not in (b"", b"null", b'""'):
        raise PollFailed(f"{WHO} tells of an error in place of an answer; it is asked again at the next poll")
    data = bytes(envelope.data)
    return b"" if data == b"null" else data


def _opened(poll: Poll, answer: FetchedAnswer) -> _Envelope:
    try:
        return decoded(msgspec.json.Decoder(_Envelope), answer.raw)
    except msgspec.ValidationError:
        raise PollFailed(f"{WHO}'s answer is not as documented; a newer spendtop may be needed") from None
    except (ValueError, RecursionError):
        raise poll.no_json(answer) from None


def advice(key: str, base_url: str, status: int, message: str) -> str:
    """What to do about a refused key; Helicone says nothing of one that is known but may not write."""
    kind = wrong_kind(key, "sk-helicone-")
    if kind.startswith(_OTHER_KIND):
        return f"{kind}{_WHERE}."
    host = urlsplit(base_url).hostname or ""
    if key.startswith(_EU_KEYS) and host == urlsplit(_US).hostname:
        return f'It is a key of the EU region: set base_url = "{_EU}" in [helicone].'
    if status == 401 and not message:
        return (
            "A key that may only read is not enough, as queries are written questions to Helicone: "
            "create one with read and write permission and set it as api_key in [helicone]."
        )
    other = _US if host == urlsplit(_EU).hostname else _EU
    return (
        "It may be mistyped or revoked, or belong to the other region: check api_key in [helicone], "
        f'and whether base_url has to be "{other}".'
    )


_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_Filter: TypeAlias = Mapping[str, object]
_WORDS_OF_FILTERS = ("null", "__empty__")
"""What Helicone takes for a question about missing values."""


class HeliconeTotals(Struct, frozen=True):
    requests: int
    cost: Usd
    """Without hits in Helicone's cache, which cost nothing."""


class HeliconeQueries:
    """Asks for what Helicone has. Instants are UTC µs of whole seconds; spans end before `until`."""

    def __init__(self, key: str, base_url: str, bounds: FetchBounds = USUAL) -> None:
        self._fetcher = helicone(key, base_url, bounds)
        self._rows = msgspec.json.Decoder(list[Raw])

    async def rows(self, since: int, until: int, offset: int, limit: int) -> list[Raw]:
        """Rows of a span, oldest first, each as JSON. Fewer than `limit` is not the end, none is.

        Raises AnswerTooLarge and PollFailed.
        """
        return await self._page(_between(since, until), offset, limit)

    async def session_rows(self, session: str, offset: int, limit: int) -> list[Raw]:
        """Rows of a session, oldest first, as `rows` gives those of a span."""
        if session in _WORDS_OF_FILTERS:
            return []
        named = {"request_response_rmt": {"properties": {SESSION_PROPERTY: {"equals": session}}}}
        return await self._page(named, offset, limit)

    async def _page(self, selected: _Filter, offset: int, limit: int) -> list[Raw]:
        body = {"filter": selected, "offset": offset, "limit": limit, "sort": {"created_at": "asc"}}
        async with self._fetcher.poll() as poll:
            data = await ask(poll, "POST", "/v1/request/query-clickhouse", body=body)
        return await asyncio.to_thread(self._split, data)

    def _split(self, data: bytes) -> list[Raw]:
        try:
            return [row for row in self._rows.decode(data) if bytes(row) != b"null"]
        except ValueError:
            raise _undocumented() from None

    async def totals(self, since: int, until: int) -> HeliconeTotals:
        """How many requests a span has, and what they cost. Raises PollFailed."""
        span = _between(since, until)
        times = {"start": _iso(since), "end": _iso(until)}
        paid = _both(span, _leaf("cached", "equals", False))
        async with self._fetcher.poll() as poll:
            requests = await _number(poll, "/v1/metrics/totalRequests", {"filter": span, "timeFilter": times})
            cost = await _number(poll, "/v1/metrics/totalCost", {"filter": paid, "timeFilter": times})
        try:
            return HeliconeTotals(int(requests), Usd.of(cost))
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
