"""Reading an HTTP answer without trusting it: bytes are counted as they come, also those that were packed."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    import httpx

_PIECE = 64 * 1024
"""Bytes that are unpacked at a time."""
_MOST_ERROR_BYTES = 64 * 1024
_LONGEST_RETRY_AFTER = 900.0
_GZIP = 31
"""zlib's number for gzip."""

_Unpack: TypeAlias = Callable[[bytes], Iterator[bytes]]


class TooLarge(Exception):
    """More bytes than are taken."""


class Unpackable(Exception):
    """Bytes that are packed wrongly, or in a way that was not asked for."""


async def read(response: httpx.Response, most: int) -> bytes:
    """The unpacked body. Raises TooLarge as soon as it has more than `most` bytes, and Unpackable."""
    whole = bytearray()
    unpack = _unpacking(response.headers.get("content-encoding", "identity"))
    async for chunk in response.aiter_raw():
        for piece in unpack(chunk):
            whole += piece
            if len(whole) > most:
                whole.clear()  # or the exception's traceback keeps it
                raise TooLarge
    return bytes(whole)


async def said(response: httpx.Response) -> str:
    """A provider's own words about an error, empty where there are none; they may quote what was sent."""
    try:
        document = msgspec.json.decode(await read(response, _MOST_ERROR_BYTES))
    except (TooLarge, Unpackable, ValueError, RecursionError):
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


def untrusted_certificate(error: BaseException) -> bool:
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
    raise Unpackable


def _as_it_is(chunk: bytes) -> Iterator[bytes]:
    yield chunk


class _Gunzip:
    """Unpacks a little at a time, however much the packed bytes hold."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the next packed bytes hold. Raises Unpackable."""
        try:
            while chunk and not self._stream.eof:
                yield self._stream.decompress(chunk, _PIECE)
                chunk = self._stream.unconsumed_tail
        except zlib.error:
            raise Unpackable from None
