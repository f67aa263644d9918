"""Answers of any length in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from fastapi.responses import StreamingResponse


def streamed(chunks: Iterator[bytes], media_type: str, headers: Mapping[str, str] | None = None) -> StreamingResponse:
    """An answer that is sent as it is made. What fails before the first chunk is there fails as usual.

    Later failures break the connection: the last, empty chunk of the transfer never comes, so that the client knows.
    """
    first = next(chunks, b"")
    return StreamingResponse(chain([first], chunks), media_type=media_type, headers=headers)
