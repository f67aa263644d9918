"""One HTTP client for all pollers: bounded in time and in bytes, patient with passing faults, silent about secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Struct

from spendtop.domain.discreet import Discreet
from spendtop.sources.documented import ANSWERS
from spendtop.sources.pollers import KeyRefused, PollFailed, connections
from spendtop.sources.unknown_fields import tell_beside

if TYPE_CHECKING:
    import ssl

    import httpx
import ssl
import zlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


MIB = 1 << 20
_LOOK = "check the address configured for it"
_PIECE = 64 * 1024
"""Bytes that are unpacked at a time."""
_MOST_ERROR_BYTES = 64 * 1024
_LONGEST_RETRY_AFTER = 900.0
_GZIP = 31
"""zlib's number for gzip."""

Query: TypeAlias = Sequence[tuple[str, str | int]]
"""Names and values in their order; a name may come several times."""
Advise: TypeAlias = Callable[[int, str], str]
"""What to do about a refused key: a sentence, for the HTTP status and the provider's own words.

Those words may quote the key, so they are for telling cases apart and never part of the sentence.
"""
_Shape = TypeVar("_Shape")
_Unpack: TypeAlias = Callable[[bytes], Iterator[bytes]]


class _TooLarge(Exception):
    """More bytes than are taken."""


class _Unpackable(Exception):
    """Bytes that are packed wrongly, or in a way that was not asked for."""


async def _whole_body(response: httpx.Response, most: int) -> bytes:
    """The unpacked body. Raises _TooLarge as soon as it has more than `most` bytes, and _Unpackable."""
    whole = bytearray()
    unpack = _unpacking(response.headers.get("content-encoding", "identity"))
    async for chunk in response.aiter_raw():
        for piece in unpack(chunk):
            whole += piece
            if len(whole) > most:
                whole.clear()  # or the exception's traceback keeps it
                raise _TooLarge
    return bytes(whole)


async def _error_text(response: httpx.Response) -> str:
    """A provider's own words about an error, empty where there are none; they may quote what was sent."""
    try:
        document = msgspec.json.decode(await _whole_body(response, _MOST_ERROR_BYTES))
    except (_TooLarge, _Unpackable, ValueError, RecursionError):
        return ""
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def retry_after(response: httpx.Response) -> float | None:
    """Seconds until the provider wants to be asked again, at most 15 minutes; None where it does not say.

    A date is compared with the provider's own, so that no clock of ours matters.
    """
    header = response.headers.get("retry-after", "")
    if header.isascii() and header.isdigit():
        seconds = float(header[:9])
    else:
        try:
            until, now = parsedate_to_datetime(header), parsedate_to_datetime(response.headers.get("date", ""))
            seconds = (until - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(seconds, _LONGEST_RETRY_AFTER) if seconds > 0 else None


def _is_untrusted_certificate(error: BaseException) -> bool:
    """Whether this is, at bottom, about the certificate of the other side."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ssl.SSLCertVerificationError):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def _unpacking(encoding: str) -> _Unpack:
    match encoding.strip().lower():
        case "identity" | "":
            return _as_it_is
        case "gzip" | "x-gzip":
            return _Gunzip().pieces
    raise _Unpackable


def _as_it_is(chunk: bytes) -> Iterator[bytes]:
    yield chunk


class _Gunzip:
    """Unpacks a little at a time, however much the packed bytes hold."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the next packed bytes hold. Raises _Unpackable."""
        try:
            while chunk and not self._stream.eof:
                yield self._stream.decompress(chunk, _PIECE)
                chunk = self._stream.unconsumed_tail
        except zlib.error:
            raise _Unpackable from None


class Rejected(PollFailed):
    """The provider did not take the question, as with 400; asking the same again will not help."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AnswerTooLarge(PollFailed):
    """An answer has more bytes than are taken; a smaller question may have a smaller one."""


class _Passing(PollFailed):
    """A failure that may be gone at the next attempt."""


class FetchBounds(Struct, frozen=True, kw_only=True):
    """What one poll may take; times in seconds."""

    deadline: float = 30.0
    """From a question to the last byte of its answer."""
    total: float = 120.0
    """All questions of a poll, with all further attempts and the waits between them."""
    connect: float = 5.0
    most_bytes: int = 16 * MIB
    """Of one answer, unpacked."""
    attempts: int = 5
    first_wait: float = 1.0
    """Before the second attempt; it doubles with each further one."""
    longest_wait: float = 20.0
    jitter: float = 1.0
    """Up to this much is added to a wait, at random."""


USUAL = FetchBounds()


def check_the_key(status: int, message: str) -> str:
    """The advice where nothing better is known."""
    return "Check the key in the configuration."


_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()


def _turn(host: str) -> asyncio.Lock:
    """Held by whoever asks a host: bills, limits and balances of one provider are asked one after the other."""
    return _TURNS.setdefault(asyncio.get_running_loop(), {}).setdefault(host, asyncio.Lock())


@cache
def _tls() -> ssl.SSLContext:
    """What the system trusts; the environment has no say."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


class Fetcher:
    """Asks one provider; one poll at a time, further ones wait for it, also those of others at the same host."""

    def __init__(
        self,
        provider: str,
        base_url: str,
        headers: Mapping[str, str],
        *,
        advise: Advise = check_the_key,
        bounds: FetchBounds = USUAL,
    ) -> None:
        self.provider = provider
        self._base_url = base_url
        self._headers = dict(headers)
        self._advise = advise
        self._bounds = bounds
        self._host = urlsplit(base_url).netloc

    async def json(self, method: str, path: str, *, query: Query = (), body: object = None) -> object:
        """One question as a poll of its own; see `Poll.json`."""
        async with self.poll() as poll:
            return await poll.json(method, path, query=query, body=body)

    @asynccontextmanager
    async def poll(self) -> AsyncIterator[Poll]:
        """Questions that belong together: over one connection, and within the total time."""
        if not all(value.isascii() and value.isprintable() for value in self._headers.values()):
            raise KeyRefused(f"The key for {self.provider} holds characters that no key has. Copy it anew.")
        async with _turn(self._host):
            tls = await asyncio.to_thread(_tls)
            async with connections.client_of(self, partial(self._client, tls)) as client:
                yield Poll(self.provider, client, self._advise, self._bounds)

    def _client(self, tls: ssl.SSLContext) -> httpx.AsyncClient:
        import httpx

        from spendtop import __version__

        return httpx.AsyncClient(
            base_url=self._base_url,
            headers={
                "User-Agent": f"spendtop/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                **self._headers,
            },
            timeout=httpx.Timeout(self._bounds.deadline, connect=self._bounds.connect),
            follow_redirects=False,
            trust_env=False,
            verify=tls,
        )


class FetchedAnswer(Discreet, frozen=True):
    """A whole answer, unpacked."""

    raw: bytes
    kind: str
    """Its content type."""


class Poll:
    def __init__(self, provider: str, client: httpx.AsyncClient, advise: Advise, bounds: FetchBounds) -> None:
        self.provider = provider
        self._client = client
        self._advise = advise
        self._bounds = bounds
        self._ends = asyncio.get_running_loop().time() + bounds.total

    async def json(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> object:
        """The JSON of an answer, its fractions as Decimal; raises as `answer` does."""
        answer = await self.answer(method, path, query=query, body=body, headers=headers)
        try:
            return msgspec.json.Decoder(float_hook=Decimal).decode(answer.raw)
        except (ValueError, ArithmeticError, RecursionError):
            raise self.no_json(answer) from None

    async def answer(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> FetchedAnswer:
        """An answer as it came to a question whose body is JSON, or these very bytes; `headers` come on top of those
        of all questions. 429, 5xx and network faults are asked again.

        Raises KeyRefused for 401 and 403, Rejected for other 4xx, AnswerTooLarge, and PollFailed for all else that is
        no whole answer.
        """
        import stamina

        stamina.instrumentation.set_on_retry_hooks(())  # whoever asks tells what went wrong, in a sentence
        async for attempt in stamina.retry_context(
            on=self._again,
            attempts=self._bounds.attempts,
            timeout=None,
            wait_initial=self._bounds.first_wait,
            wait_max=self._bounds.longest_wait,
            wait_jitter=self._bounds.jitter,
        ):
            with attempt:
                return await self._once(method, path, query, body, headers)
        raise AssertionError("an attempt returns or raises")

    def no_json(self, answer: FetchedAnswer) -> PollFailed:
        """What to raise about an answer that no decoder takes."""
        if "html" in answer.kind or answer.raw.lstrip()[:1] == b"<":
            return PollFailed(f"{self.provider} answered with a web page in place of JSON; {_LOOK}")
        return PollFailed(f"{self.provider}'s answer is no whole JSON; it is asked again at the next poll")

    def _again(self, failure: Exception) -> bool | float:
        """Whether to ask again, or after how many seconds; never when that could end after the total time."""
        if not isinstance(failure, _Passing):
            return False
        wait = self._bounds.longest_wait if failure.retry_after is None else failure.retry_after
        if asyncio.get_running_loop().time() + wait > self._ends:
            return False
        return True if failure.retry_after is None else failure.retry_after

    async def _once(
        self, method: str, path: str, query: Query, body: object, headers: Mapping[str, str] | None
    ) -> FetchedAnswer:
        import httpx

        within = min(self._bounds.deadline, self._ends - asyncio.get_running_loop().time())
        try:
            async with (
                asyncio.timeout(within),
                self._client.stream(
                    method,
                    path,
                    params=list(query) or None,
                    content=body if isinstance(body, bytes) else None,
                    json=None if isinstance(body, bytes) else body,
                    headers=headers,
                ) as response,
            ):
                if not response.is_success:
                    raise await self._refusal(response)
                raw = await _whole_body(response, self._bounds.most_bytes)
        except (TimeoutError, httpx.TimeoutException):
            raise _Passing(f"{self.provider} did not answer in time; it is asked again at the next poll") from None
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        except _TooLarge:
            size = f"{self._bounds.most_bytes / MIB:g} MiB"
            raise AnswerTooLarge(f"{self.provider}'s answer is larger than {size} and was not read; {_LOOK}") from None
        except _Unpackable:
            raise PollFailed(f"{self.provider}'s answer is packed in a way that cannot be read; {_LOOK}") from None
        return FetchedAnswer(raw, response.headers.get("content-type", ""))

    async def _refusal(self, response: httpx.Response) -> PollFailed:
        who, status = self.provider, response.status_code
        match status:
            case 401 | 403:
                return KeyRefused(
                    f"{who} refused the key ({status}). {self._advise(status, await _error_text(response))}", status
                )
            case 429:
                return _Passing(f"{who} asks for fewer questions (429); poll less often", retry_after(response))
            case _ if status >= 500:
                return _Passing(
                    f"{who} has a fault of its own ({status}); it is asked again at the next poll",
                    retry_after(response),
                )
            case _ if status < 400:
                return PollFailed(f"{who} answered with a redirect ({status}), which is never followed; {_LOOK}")
            case 404:
                absent = f"{who} does not know what it was asked for (404): this organization or key may not have it"
                advice = self._advise(status, await _error_text(response))
                return Rejected(f"{absent}. {advice} Else {_LOOK}", status)
        return Rejected(f"{who} did not take the question ({status}); a newer spendtop may be needed", status)

    def _unreachable(self, error: Exception) -> PollFailed:
        if _is_untrusted_certificate(error):
            return PollFailed(f"The certificate of {self.provider}'s address cannot be trusted; {_LOOK}")
        return _Passing(
            f"{self.provider} cannot be reached ({type(error).__name__}); check the network and the address configured"
        )


def shaped(provider: str, document: object, kind: type[_Shape]) -> _Shape:
    """An answer as the fields that are expected of it; others are passed over and counted. Raises PollFailed where they
    are not there, and for an error that calls itself a success."""
    if isinstance(document, dict) and document.get("error"):
        raise PollFailed(f"{provider} answered with an error in place of figures; it is asked again at the next poll")
    try:
        answer = msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise PollFailed(f"{provider}'s answer is not as documented: {error}; a newer spendtop may be needed") from None
    tell_beside(document, kind, ANSWERS.get(provider, ()))
    return answer
