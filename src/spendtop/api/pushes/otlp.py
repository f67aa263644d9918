"""`POST /v1/traces`: what OpenTelemetry exporters send over HTTP, in protobuf or JSON, plain or gzipped."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence

import msgspec

from spendtop.api.answers import Answer, Receive, Scope, error
from spendtop.api.context import Context
from spendtop.api.counters import Count
from spendtop.api.guards import Guards, header_values
from spendtop.api.pushes import Desk
from spendtop.domain.request import Request
from spendtop.domain.sources import OTLP
from spendtop.sources.receivers import Invalid, NotJson, Pushed, Unreadable
from spendtop.sources.receivers.otlp import JSON, PROTOBUF, ContentType, OtlpReceiver

LARGEST_EXPORT = 32 * 1024 * 1024
LARGEST_UNPACKED = 64 * 1024 * 1024
MOST_READ = 2
"""Exports that are unpacked and read at once."""
MOST_NAMED = 8
"""Attributes that an answer names."""

_GZIP = zlib.MAX_WBITS | 16
_BAD_GZIP = error(400, "bad_gzip", "The body is not one whole gzip stream.")
_BAD_TYPE = error(
    415, "unsupported_type", "Send the Content-Type application/x-protobuf (OTLP/HTTP) or application/json."
)
_BAD_CODING = error(415, "unsupported_encoding", "Send the body gzipped, or without Content-Encoding.")
_TOO_LARGE = error(413, "too_large", f"The body unpacks to more than {LARGEST_UNPACKED:,} bytes.")


class OtlpPush:
    """Takes exports of clients that hold an ingest key; the answer waits for the durable commit."""

    def __init__(self, context: Context, guards: Guards) -> None:
        self._context = context
        self._desk = Desk(context, guards, OTLP)
        self._receiver = OtlpReceiver()
        self._places = asyncio.Semaphore(MOST_READ)

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """OTLP's answer in the post's own format, with how many spans could not be taken.

        Raises Failed and Disconnected.
        """
        body = await self._desk.body(scope, receive, LARGEST_EXPORT)
        content_type, is_packed = self._content_type(scope), self._is_packed(scope)
        items = await self._desk.under_token(scope, (await self._read(body, content_type, is_packed)).items)
        rejected = [item for item in items if isinstance(item, Invalid)]
        self._desk.count_invalid(rejected)
        await self._desk.record([item for item in items if isinstance(item, Request)])
        told = _told_in_protobuf(rejected) if content_type == PROTOBUF else _told_in_json(rejected)
        return Answer(200, told, content_type=content_type.encode())

    async def _read(self, body: bytes, content_type: ContentType, is_packed: bool) -> Pushed:
        """Read in a thread, so that others need not wait for it."""
        now = self._context.clock()
        try:
            async with self._places:
                return await asyncio.to_thread(self._parsed, body, content_type, is_packed, now)
        except (NotJson, Unreadable) as failure:
            raise self._desk.unreadable(failure, status=400) from failure
        except zlib.error as failure:
            raise self._desk.refused(Count.INGEST_INVALID, _BAD_GZIP) from failure
        except _TooLarge as failure:
            raise self._desk.refused(Count.INGEST_TOO_LARGE, _TOO_LARGE) from failure

    def _parsed(self, body: bytes, content_type: ContentType, is_packed: bool, now: int) -> Pushed:
        return self._receiver.parse(_unpacked(body) if is_packed else body, content_type, now)

    def _content_type(self, scope: Scope) -> ContentType:
        given = header_values(scope, b"content-type")
        name = given[0].partition(b";")[0].strip().lower() if len(given) == 1 else b""
        for content_type in (PROTOBUF, JSON):
            if name == content_type.encode():
                return content_type
        raise self._desk.refused(Count.INGEST_INVALID, _BAD_TYPE)

    def _is_packed(self, scope: Scope) -> bool:
        codings = {value.strip().lower() for value in header_values(scope, b"content-encoding")}
        if codings - {b"gzip", b"identity"} or len(codings) > 1:
            raise self._desk.refused(Count.INGEST_INVALID, _BAD_CODING)
        return b"gzip" in codings


class _TooLarge(Exception):
    """A body unpacks to more than is taken."""


def _unpacked(body: bytes) -> bytes:
    """The content of one gzip stream, never holding more than is taken. Raises zlib.error, and _TooLarge."""
    stream = zlib.decompressobj(_GZIP)
    content = stream.decompress(body, LARGEST_UNPACKED + 1)
    if len(content) > LARGEST_UNPACKED:
        raise _TooLarge
    if not stream.eof or stream.unused_data:
        raise zlib.error("not one whole gzip stream")
    return content


def _told_in_json(rejected: Sequence[Invalid]) -> bytes:
    if not rejected:
        return b"{}"
    partial = {"rejectedSpans": str(len(rejected)), "errorMessage": _why(rejected)}
    return msgspec.json.encode({"partialSuccess": partial})


def _told_in_protobuf(rejected: Sequence[Invalid]) -> bytes:
    if not rejected:
        return b""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTracePartialSuccess,
        ExportTraceServiceResponse,
    )

    partial = ExportTracePartialSuccess(rejected_spans=len(rejected), error_message=_why(rejected))
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def _why(rejected: Sequence[Invalid]) -> str:
    """Each attribute with what it has to be, once."""
    reasons = {f"{name} {problem}" for item in rejected for name, problem in item.fields.items()}
    return f"Some spans cannot be taken: {'; '.join(sorted(reasons)[:MOST_NAMED])}."
