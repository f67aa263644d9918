from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

from spendtop.domain.errors import StoreCorrupt
from spendtop.store import bodies

PAIRS: list[tuple[bytes | None, bytes | None]] = [
    (None, None),
    (b"", None),
    (None, b""),
    (b"", b""),
    (b'{"messages": []}', b'{"choices": []}'),
    (b"\0\1\xff", b"\1"),
    (b"x" * 100_000, None),
]


@pytest.mark.parametrize("pair", PAIRS)
def test_a_pair_comes_back_as_it_was(pair: tuple[bytes | None, bytes | None]) -> None:
    _, data = bodies.encode(*pair)
    assert bodies.decode(data) == pair


def test_the_frame_and_the_answer_name_the_same_dictionary() -> None:
    dictionary, data = bodies.encode(b"{}", b"{}")
    assert zstandard.get_frame_parameters(data).dict_id == dictionary


def test_a_frame_without_a_dictionary_is_still_read() -> None:
    data = zstandard.ZstdCompressor().compress((5).to_bytes(4, "big") + b"hello" + b"\1" + b"there")
    assert bodies.decode(data) == (b"hello", b"there")


def test_both_bodies_can_be_packed_in_several_threads_at_once() -> None:
    pairs = [(b"a" * number, b"b" * number) for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        packed = list(pool.map(lambda pair: bodies.encode(*pair)[1], pairs))
    assert [bodies.decode(data) for data in packed] == pairs


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no frame",
        zstandard.ZstdCompressor().compress(b""),
        zstandard.ZstdCompressor().compress(b"\0\0"),
        zstandard.ZstdCompressor().compress((9).to_bytes(4, "big") + b"short"),
        bodies.encode(b"x" * 1_000, None)[1][:-3],
    ],
)
def test_what_is_damaged_is_named_so(data: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        bodies.decode(data)


def test_a_frame_that_unpacks_to_too_much_is_not_unpacked() -> None:
    with pytest.raises(StoreCorrupt, match="64 MiB"):
        bodies.decode(zstandard.ZstdCompressor().compress(bytes(bodies.LARGEST + 1)))


def test_a_frame_that_hides_its_size_is_refused() -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    with pytest.raises(StoreCorrupt):
        bodies.decode(compressor.compress((-1).to_bytes(4, "big", signed=True) + b"\1" + bytes(1_000)))


def test_a_shipped_dictionary_is_used_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = b'{"id": "%d", "model": "gpt-4o", "messages": [{"role": "user"}]}'
    samples = [text % number * 3 for number in range(900)]
    trained = zstandard.train_dictionary(2_000, [*samples], dict_id=1)
    (tmp_path / "body.dict").write_bytes(trained.as_bytes())
    monkeypatch.setattr(bodies, "files", lambda _: tmp_path)
    bodies._dictionary.cache_clear()
    bodies._compressor.cache_clear()
    try:
        dictionary, data = bodies.encode(samples[7], None)
        assert dictionary == 1
        assert bodies.decode(data) == (samples[7], None)
        assert len(data) < len(zstandard.ZstdCompressor().compress(samples[7]))
    finally:
        bodies._dictionary.cache_clear()
        bodies._compressor.cache_clear()
