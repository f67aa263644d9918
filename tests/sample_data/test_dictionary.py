"""The store's dictionary shrinks bodies that it was not trained on."""

from __future__ import annotations

from importlib.resources import files

import msgspec
import zstandard

from spendtop.collector.demo.sample_traffic import coming_lines, request_of, webhook_captures
from spendtop.store import bodies

NOW = 1_800_000_000_000_000
LARGEST = 32 * 1024


def plain_size(request: bytes, response: bytes) -> int:
    return len(zstandard.ZstdCompressor(level=3).compress(request + response))


def test_dictionary_is_shipped_and_small() -> None:
    content = (files("spendtop.store") / "body.dict").read_bytes()
    assert len(content) <= LARGEST
    assert zstandard.ZstdCompressionDict(content).dict_id() == bodies.encode(b"{}", b"{}")[0] != 0


def test_sample_bodies_come_back_and_take_a_quarter_less_than_without_dictionary() -> None:
    coming = [request_of(line, NOW) for line in coming_lines()]
    pairs = [(r.request_body, r.response_body) for r in coming if r.request_body and r.response_body][-300:]
    encoded = [bodies.encode(*pair)[1] for pair in pairs]
    assert [bodies.decode(data) for data in encoded] == pairs
    assert sum(map(len, encoded)) < 0.75 * sum(plain_size(*pair) for pair in pairs)


def test_captured_bodies_take_less_than_half_of_what_they_take_without_dictionary() -> None:
    events = [msgspec.json.decode(capture.raw) for capture in webhook_captures()]
    pairs = [
        (msgspec.json.encode(event["request_body"]), msgspec.json.encode(event["response_body"])) for event in events
    ]
    encoded = [bodies.encode(*pair)[1] for pair in pairs]
    assert sum(map(len, encoded)) < 0.5 * sum(plain_size(*pair) for pair in pairs)
