"""Prompt and response of one request as they are kept: one zstd frame, with a dictionary trained on such bodies.

One dictionary is shipped. Others are trained on what a store holds (`store/dictionaries.py`); a frame names the one
that it needs, and the process has to know that one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
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
_trained: dict[int, zstandard.ZstdCompressionDict] = {}
"""By their ids, which are drawn at random: those of two stores are not taken for one another."""


def encode(request: bytes | None, response: bytes | None, dictionary: int | None = None) -> tuple[int, bytes]:
    """The id of the dictionary used (0 is none), and both bodies compressed: by the shipped one where none is named.
    May run in any thread."""
    if dictionary is None:
        dictionary = shipped()
    return dictionary, _compressor(get_ident(), dictionary).compress(_joined(request, response))


def decode(data: bytes) -> tuple[bytes | None, bytes | None]:
    """Request and response body of an encoded pair; the frame itself names its dictionary.

    Raises StoreCorrupt for what is no such frame, needs an unknown dictionary, or unpacks to more than LARGEST bytes.
    """
    try:
        frame = zstandard.get_frame_parameters(data)
        if frame.content_size > LARGEST:
            raise StoreCorrupt(f"A stored body unpacks to more than {LARGEST // 2**20} MiB and is not shown.")
        plain = _decompressor(get_ident(), frame.dict_id).decompress(data)
        (length,) = _LENGTH.unpack_from(plain)
    except (zstandard.ZstdError, struct.error):
        raise StoreCorrupt("A stored body is damaged. `spendtop db verify` checks the store.") from None
    end = _LENGTH.size + max(length, 0)
    if end > len(plain):
        raise StoreCorrupt("A stored body is cut short. `spendtop db verify` checks the store.")
    request = None if length == _ABSENT else plain[_LENGTH.size : end]
    return request, plain[end + 1 :] if len(plain) > end else None


def shipped() -> int:
    """The id of the dictionary that is shipped, or 0 without one."""
    dictionary = _dictionary()
    return dictionary.dict_id() if dictionary else 0


def knows(dictionary: int) -> bool:
    """Whether frames that need this dictionary can be read and written."""
    return dictionary in (0, shipped()) or dictionary in _trained


def learn(content: bytes) -> int:
    """Know one more dictionary from here on; gives its id. Raises StoreCorrupt for what is none."""
    try:
        dictionary = _prepared(content)
    except zstandard.ZstdError:
        raise StoreCorrupt("A dictionary of stored bodies is damaged.") from None
    _trained.setdefault(dictionary.dict_id(), dictionary)
    return dictionary.dict_id()


def content_of(dictionary: int) -> bytes:
    """What `learn` was given. Raises KeyError."""
    return _trained[dictionary].as_bytes()


def train(pairs: Sequence[tuple[bytes | None, bytes | None]], size: int, dictionary: int) -> bytes:
    """A dictionary of at most `size` bytes with this id, made of what such bodies have in common. Other threads go on
    meanwhile. Raises ValueError where these are too few or too small."""
    try:
        trained = zstandard.train_dictionary(size, [_joined(*pair) for pair in pairs], dict_id=dictionary, level=_LEVEL)
    except zstandard.ZstdError as failure:
        raise ValueError(f"no dictionary can be made of {len(pairs)} bodies: {failure}") from None
    return trained.as_bytes()


def _joined(request: bytes | None, response: bytes | None) -> bytes:
    head = _LENGTH.pack(_ABSENT if request is None else len(request))
    return head + (request or b"") + (b"" if response is None else b"\1" + response)


@lru_cache(maxsize=128)
def _compressor(thread: int, dictionary: int) -> zstandard.ZstdCompressor:
    """A compressor serves one thread at a time, so every thread has its own."""
    return zstandard.ZstdCompressor(level=_LEVEL, dict_data=_known(dictionary))


@lru_cache(maxsize=128)
def _decompressor(thread: int, dictionary: int) -> zstandard.ZstdDecompressor:
    """Likewise."""
    return zstandard.ZstdDecompressor(dict_data=_known(dictionary))


def _known(dictionary: int) -> zstandard.ZstdCompressionDict | None:
    if dictionary == 0:
        return None
    if dictionary == shipped():
        return _dictionary()
    try:
        return _trained[dictionary]
    except KeyError:
        raise StoreCorrupt(f"The dictionary {dictionary} of a stored body is missing.") from None


@cache
def _dictionary() -> zstandard.ZstdCompressionDict | None:
    """The dictionary that is shipped, or None without one."""
    file = files("spendtop.store") / "body.dict"
    return _prepared(file.read_bytes()) if file.is_file() else None


def _prepared(content: bytes) -> zstandard.ZstdCompressionDict:
    dictionary = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_FULLDICT)
    dictionary.precompute_compress(level=_LEVEL)
    return dictionary
