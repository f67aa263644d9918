from __future__ import annotations

import json
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.sources.repaired_json import decoded, json_text, repaired

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_PYTHONS = st.recursive(
    st.floats() | st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (
            rb'["\ud83d", "\ud83d\ude00", "\\ud83d", "\ude00\ud83d"]',
            ["\ufffd", "\U0001f600", "\\ud83d", "\ufffd\ufffd"],
        ),
        (rb'{"\ud83d": 1}', {"\ufffd": 1}),
        (b"[NaN, Infinity, -Infinity]", [None, None, None]),
        (b'["NaN", "1e999", NaN]', ["NaN", "1e999", None]),
        (b"[1e999, -1e999, 1e308, 17]", ["1e999", "-1e999", 1e308, 17]),
        (b"[%b]" % (b"9" * 5_000), ["9" * 5_000]),
        (b'["\xff", "\xed\xa0\xbd"]', ["\ufffd", "\ufffd\ufffd\ufffd"]),
        (b'["a\nb\x00"]', ["a\nb\0"]),
        (b"\xef\xbb\xbf{}", {}),
    ],
)
def test_what_strict_readers_refuse_is_repaired(sent: bytes, value: object) -> None:
    text = json_text(sent)
    assert text.value == value
    assert json.loads(text.raw) == value
    assert decoded(msgspec.json.Decoder(), sent) == value


@pytest.mark.parametrize("sent", [b"", b"{", b"{} {}", b"nan", b'"', b'"\\', b"[1e]", b"[--1]", b"\xff", b"[1,]"])
def test_what_is_no_json_stays_none(sent: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        json_text(sent)
    with pytest.raises(msgspec.DecodeError):
        decoded(msgspec.json.Decoder(), sent)


@given(_JSON)
def test_json_is_not_touched(value: object) -> None:
    for sent in (json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")):
        assert json_text(sent).raw == sent
        assert json.loads(repaired(sent)) == value


@given(_PYTHONS)
def test_all_that_python_and_javascript_write_is_read(value: object) -> None:
    assert isinstance(json_text(json.dumps(value).encode()).raw, bytes)


@pytest.mark.parametrize("sent", [b'"' + b'\\"' * 2_000_000, b"9" * 4_000_000, b"-" * 4_000_000, b'"' * 3_000_001])
def test_no_text_takes_long(sent: bytes) -> None:
    started = time.process_time()
    repaired(sent)
    assert time.process_time() - started < 10
