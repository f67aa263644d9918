"""What one value alone cannot show: names that are given twice, and names that nothing bears.

These look at the unchecked values, so that they are told together with everything else that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spendtop.config.layers import NAMED_LISTS
from spendtop.config.problems import Problem, suggestion
from spendtop.config.toml_text import quoted

_NOTIFYING = ("limit", "account")


def broken_rules(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Every duplicate name and every unknown channel."""
    for section in NAMED_LISTS:
        yield from _duplicates(section, _items(values, section))
    channels = [name for _, item in _items(values, "channel") if isinstance(name := item.get("name"), str)]
    for section in _NOTIFYING:
        for index, item in _items(values, section):
            yield from _unknown_channels(section, index, item.get("notify"), channels)


def _items(values: Mapping[str, Any], section: str) -> list[tuple[int, dict[str, Any]]]:
    items = values.get(section)
    return [(i, item) for i, item in enumerate(items) if isinstance(item, dict)] if isinstance(items, list) else []


def _duplicates(section: str, items: list[tuple[int, dict[str, Any]]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in items:
        name = item.get("name")
        if isinstance(name, str) and name.strip() in seen:
            yield Problem(
                (section, index, "name"), f"there is another {section} {quoted(name.strip())}; names must differ"
            )
        elif isinstance(name, str):
            seen.add(name.strip())


def _unknown_channels(section: str, index: int, notify: object, channels: list[str]) -> Iterator[Problem]:
    if not isinstance(notify, list):
        return
    for position, name in enumerate(notify):
        if isinstance(name, str) and name not in channels:
            hint = suggestion(name, channels) or "; there is no [[channel]]"
            yield Problem((section, index, "notify", position), f"unknown channel {quoted(name)}{hint}")
