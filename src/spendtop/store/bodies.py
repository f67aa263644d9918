"""Prompt and response of one request as they are kept: one zstd frame, with a dictionary trained on such bodies."""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from importlib.resources import files
from threading import get_ident

import zstandard

from spendtop.domain.errors import StoreCorrupt

LARGEST = 64 * 1024 * 1024
"""Bytes that a frame may unpack to."""

_LEVEL = 3
_LENGTH = struct.Struct(">i")
_ABSENT = -1


def encode(request: bytes | None, response: bytes | None) -> tuple[int, bytes]:
    """The id of the dictionary used (0 is none), and both bodies compressed. May run in any thread."""
    dictionary = _dictionary()
    head = _LENGTH.pack(_ABSENT if request is None else len(request))
    tail = b"" if response is None else b"\1" + response
    data = _compressor(get_ident()).compress(head + (request or b"") + tail)
    return dictionary.dict_id() if dictionary else 0, data


def decode(data: bytes) -> tuple[bytes | None, bytes | None]:
    """Request and response body of an encoded pair; the frame itself names its dictionary.

    Raises StoreCorrupt for what is no such frame, needs an unknown dictionary, or unpacks to more than LARGEST bytes.
    """
    try:
        frame = zstandard.get_frame_parameters(data)
        if frame.content_size > LARGEST:
            raise StoreCorrupt(f"A stored body unpacks to more than {LARGEST // 2**20} MiB and is not shown.")
        plain = zstandard.ZstdDecompressor(dict_data=_dictionary() if frame.dict_id else None).decompress(data)
        (length,) = _LENGTH.unpack_from(plain)
    except (zstandard.ZstdError, struct.error):
        raise StoreCorrupt("A stored body is damaged. `spendtop db verify` checks the store.") from None
    end = _LENGTH.size + max(length, 0)
    if end > len(plain):
        raise StoreCorrupt("A stored body is cut short. `spendtop db verify` checks the store.")
    request = None if length == _ABSENT else plain[_LENGTH.size : end]
    return request, plain[end + 1 :] if len(plain) > end else None


@lru_cache(maxsize=128)
def _compressor(thread: int) -> zstandard.ZstdCompressor:
    """A compressor serves one thread at a time, so every thread has its own."""
    return zstandard.ZstdCompressor(level=_LEVEL, dict_data=_dictionary())


@cache
def _dictionary() -> zstandard.ZstdCompressionDict | None:
    """The dictionary that is shipped, or None without one."""
    file = files("spendtop.store") / "body.dict"
    if not file.is_file():
        return None
    dictionary = zstandard.ZstdCompressionDict(file.read_bytes(), dict_type=zstandard.DICT_TYPE_FULLDICT)
    dictionary.precompute_compress(level=_LEVEL)
    return dictionary
