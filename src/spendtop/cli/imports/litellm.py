"""LiteLLM's spend logs, asked of the proxy itself, a UTC day and a page at a time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from getpass import getpass

import httpx
from pydantic import TypeAdapter, ValidationError

from spendtop.cli.interruption import interruptible
from spendtop.cli.request_selection import span_of
from spendtop.config.types import HttpUrl
from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.errors import UsageError
from spendtop.domain.windows import Calendar
from spendtop.sources.files import Format, Read
from spendtop.sources.files.reading import READERS
from spendtop.store.reads.spending.bucket_spans import Span

_PATH = "/spend/logs/v2"
_KEY = "LITELLM_MASTER_KEY"
_PAGE = 1_000
_DEFAULT_DAYS = 30
_TIMEOUT = 60.0
_TRIES = 4
_LONGEST_WAIT = 60.0


def is_address(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def spend_logs(url: str, since: str | None, until: str | None, now: int) -> Read:
    """What the proxy at `url` recorded in a span. The key is that of the environment, or asked for.

    Raises UsageError where it cannot be asked, or does not answer as LiteLLM does.
    """
    address, key, span = _address(url), _key(), span_of(since, until, now, Calendar())
    first = now - _DEFAULT_DAYS * DAY if span.since is None else span.since
    return _read(address, key, Span(first, now if span.until is None else min(now, span.until)), now)


def _read(address: str, key: str, span: Span, now: int) -> Read:
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
    with httpx.Client(timeout=_TIMEOUT, trust_env=False, headers=headers) as client:
        for page in _pages(client, address, span):
            yield from READERS[Format.LITELLM]([page], now)


def _address(url: str) -> str:
    try:
        return TypeAdapter(HttpUrl).validate_python(url)
    except ValidationError:
        raise UsageError(
            "The proxy's URL has to be a plain one such as http://localhost:4000, without a key in it."
        ) from None


def _key() -> str:
    key = os.environ.get(_KEY, "").strip()
    if not key and sys.stdin.isatty():
        key = getpass("Master or admin key of the proxy (not shown): ").strip()
    if not key:
        raise UsageError(f"The proxy's logs need its master or an admin key: put it into {_KEY} in the environment.")
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"What {_KEY} holds is no key.")
    return key


def _pages(client: httpx.Client, address: str, span: Span) -> Iterator[bytes]:
    """All pages, day by day, so that what is recorded meanwhile moves no page. Both ends count at LiteLLM."""
    assert span.since is not None and span.until is not None
    start = span.since
    while start < span.until:
        end = min(span.until, (start // DAY + 1) * DAY)
        query = {"start_date": _second(start), "end_date": _second(end), "page_size": str(_PAGE)}
        before, number = b"", 1
        while True:
            answer = _answer(client, f"{address}{_PATH}", {**query, "page": str(number)})
            rows = _rows(answer)
            if rows and answer.content != before:
                yield answer.content
            if rows < _PAGE or answer.content == before:
                break
            before, number = answer.content, number + 1
        start = end


def _answer(client: httpx.Client, address: str, query: dict[str, str]) -> httpx.Response:
    for attempt in range(_TRIES):
        try:
            with interruptible("Asking LiteLLM", "What was recorded before stays."):
                answer = client.get(address, params=query)
        except httpx.HTTPError as failure:
            raise UsageError(
                f"LiteLLM cannot be asked ({type(failure).__name__}). Look whether its proxy runs there, and repeat."
            ) from None
        if answer.status_code != 429 or attempt == _TRIES - 1:
            break
        time.sleep(_wait(answer.headers.get("retry-after")))
    if answer.status_code in (401, 403):
        raise UsageError(f"LiteLLM does not take the key. It has to be the proxy's master key or an admin's: {_KEY}.")
    if answer.status_code != 200:
        raise UsageError(
            f"LiteLLM answers {answer.status_code} at {_PATH}. The URL has to be that of its proxy, with a database,"
            " and lead there without a redirect."
        )
    return answer


def _wait(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or 1), 0.0), _LONGEST_WAIT)
    except ValueError:
        return 1.0


def _rows(answer: httpx.Response) -> int:
    try:
        rows = answer.json()["data"]
    except (ValueError, KeyError, TypeError):
        rows = None
    if not isinstance(rows, list):
        raise UsageError(f"What answers at {_PATH} is no LiteLLM proxy. Give the proxy's own URL.")
    return len(rows)


def _second(micros: int) -> str:
    return f"{to_datetime(micros):%Y-%m-%d %H:%M:%S}"
