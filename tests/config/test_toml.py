from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spendtop.config.toml import KeyPath, key_lines, pairs

TEXT = '''# a comment with [brackets] and "quotes
top = 1
[server] # x
host = "h#]"
rate_limit = { rpm = 6, exempt = ["/a",
 "/b"] }
"quo ted".x.y = """multi
[not] = a key
line"""
z = 1979-05-27 07:32:00
[[limit]]
name = 'it'
[[limit]]
[limit.sub]
q = [ # comment ]
  [1, 2],
  { a = "}" },
]
[prices."acme.b"]
input = 1
'''


def test_every_kind_of_key_has_its_line() -> None:
    lines = key_lines(TEXT)
    expected: dict[KeyPath, int] = {
        ("top",): 2,
        ("server",): 3,
        ("server", "host"): 4,
        ("server", "rate_limit", "rpm"): 5,
        ("server", "rate_limit", "exempt", 1): 6,
        ("server", "quo ted", "x", "y"): 7,
        ("server", "z"): 10,
        ("limit", 0): 11,
        ("limit", 0, "name"): 12,
        ("limit", 1): 13,
        ("limit", 1, "sub"): 14,
        ("limit", 1, "sub", "q"): 15,
        ("limit", 1, "sub", "q", 0, 1): 16,
        ("limit", 1, "sub", "q", 1, "a"): 17,
        ("prices", "acme.b", "input"): 20,
    }
    assert {path: lines.get(path) for path in expected} == expected


def test_an_empty_text_has_no_keys() -> None:
    assert key_lines("") == {}


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\n\r\nb = 2\r\n") == {("a",): 1, ("b",): 3}


SCALARS = st.one_of(st.integers(-(2**60), 2**60), st.booleans(), st.text(st.characters(exclude_categories=["Cs"])))
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_every_value_that_can_be_written_is_found_on_its_line(document: dict[str, Any]) -> None:
    text = "\n".join(pairs(document))
    assert tomllib.loads(text) == document
    lines = key_lines(text)
    for number, (key, value) in enumerate(document.items(), 1):
        for path in _paths((key,), value):
            assert lines[path] == number


def _paths(path: KeyPath, value: object) -> list[KeyPath]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(found for key, item in inner for found in _paths((*path, key), item))]
