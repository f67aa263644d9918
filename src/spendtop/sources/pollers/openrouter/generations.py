"""OpenRouter: what it charged for one call whose client hung up, of which its push knows neither tokens nor cost.

`GET /api/v1/generation?id=` (openrouter 1.3.84) answers any key of the account: `total_cost` in US dollars, and what
was billed as `native_tokens_*`. It does not know a call in the first seconds after it, which is a 404.
"""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.requests.request import Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import OPENROUTER_PUSH
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage import count
from spendtop.sources.pollers import wrong_kind
from spendtop.sources.pollers.amounts import dollars, instant
from spendtop.sources.pollers.cost_pages import DOLLAR
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected, shaped

_WHO = "OpenRouter"


class _Generation(Struct, frozen=True):
    id: str
    total_cost: object = None
    created_at: str | None = None
    model: str | None = None
    native_tokens_prompt: object = None
    native_tokens_completion: object = None
    native_tokens_cached: object = None
    native_tokens_reasoning: object = None


class _GenerationAnswer(Struct, frozen=True):
    data: _Generation


class OpenRouterGenerations:
    """Asks for calls one by one, with any key of the account."""

    def __init__(self, key: str, base_url: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        headers = {"Authorization": f"Bearer {key}"}
        self._fetcher = Fetcher(
            _WHO, base_url or "https://openrouter.ai", headers, advise=self._what_to_do, bounds=bounds
        )

    async def requests(self, ids: tuple[str, ...], now: int) -> tuple[Request, ...]:
        """Those of the calls that are charged by now (UTC µs), as the push would have told them. Raises PollFailed."""
        async with self._fetcher.poll() as poll:
            told = [await _generation(poll, each) for each in ids]
        return tuple(_request(each, now) for each in told if each is not None and each.total_cost is not None)

    def _what_to_do(self, status: int, message: str) -> str:
        return f"{wrong_kind(self._key, 'sk-or-')}Any key of the account whose calls are pushed will do."


async def _generation(poll: Poll, named: str) -> _Generation | None:
    try:
        answer = await poll.json("GET", "/api/v1/generation", query=(("id", named),))
    except Rejected as rejected:
        if rejected.status != 404:
            raise
        return None
    generation = shaped(_WHO, answer, _GenerationAnswer).data
    return generation if generation.id == named else None


def _request(told: _Generation, now: int) -> Request:
    return Request(
        source=OPENROUTER_PUSH,
        external_id=storable_name(told.id),
        response_id=storable_name(told.id),
        received_at=now,
        occurred_at=now if told.created_at is None else instant(_WHO, told.created_at),
        time_source=TimeSource.RECEIVED if told.created_at is None else TimeSource.PROVIDER,
        provider=OPENROUTER_PUSH.provider,
        model=storable_name(told.model) if told.model else None,
        status=Status.CANCELLED,
        usage=Usage(
            prompt=count(told.native_tokens_prompt),
            completion=count(told.native_tokens_completion),
            cache_read=count(told.native_tokens_cached),
            reasoning=count(told.native_tokens_reasoning),
        ),
        cost=Cost(reported=dollars(_WHO, told.total_cost, DOLLAR), reported_by=Reporter.PROVIDER),
    )
