from __future__ import annotations

from spendtop.config.layers import Layer, ValueOrigin, merge
from spendtop.config.toml import KeyPath


def layer(place: str, **limits: int) -> Layer:
    """A layer with a limit of each name and amount."""
    made = Layer()
    for name, usd in limits.items():
        made.append("limit", {"name": name, "usd": usd}, ValueOrigin(place, usd))
    return made


def test_tables_are_merged_key_by_key_and_lists_replaced() -> None:
    lower, upper = Layer(), Layer()
    lower.set(("server", "host"), "a", ValueOrigin("lower"))
    lower.set(("server", "allowed_origins"), [1, 2], ValueOrigin("lower"))
    upper.set(("server", "allowed_origins"), [3], ValueOrigin("upper"))
    merged = merge(lower, upper)
    assert merged.values == {"server": {"host": "a", "allowed_origins": [3]}}
    assert (str(merged.origin(("server", "host"))), str(merged.origin(("server", "allowed_origins", 0)))) == (
        "lower",
        "upper",
    )
    assert lower.values == {"server": {"host": "a", "allowed_origins": [1, 2]}}


def test_named_items_are_joined_and_keep_their_origins() -> None:
    merged = merge(layer("env", hourly=1, daily=2, monthly=3), layer("file", daily=20, own=30))
    assert [(item["name"], item["usd"]) for item in merged.values["limit"]] == [
        ("hourly", 1),
        ("monthly", 3),
        ("daily", 20),
        ("own", 30),
    ]
    assert [str(merged.origin(("limit", index, "usd"))) for index in range(4)] == [
        "env:1",
        "env:3",
        "file:20",
        "file:30",
    ]


def test_items_of_one_layer_never_replace_each_other() -> None:
    twice = layer("file", daily=1)
    twice.append("limit", {"name": "daily", "usd": 2}, ValueOrigin("file", 2))
    assert len(merge(layer("env", daily=9), twice).values["limit"]) == 2


def test_a_value_that_is_not_there_is_none() -> None:
    one = layer("file", daily=1)
    assert one.value(("limit", 0, "usd")) == 1
    absent: list[KeyPath] = [("limit", 5), ("x", "y"), ("limit", "name"), ("limit", 0, "usd", 1)]
    assert [one.value(path) for path in absent] == [None] * 4
    assert one.origin(("server", "port")) is None


def test_a_key_below_a_value_makes_a_table_of_it() -> None:
    made = Layer()
    made.set(("server", "port"), 1, ValueOrigin("a"))
    made.set(("server", "port", "x"), 2, ValueOrigin("b"))
    assert made.values == {"server": {"port": {"x": 2}}}
