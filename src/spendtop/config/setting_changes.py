"""What differs between two configurations, for the lines that say what a saved file has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from spendtop.config.layers import NAMED_LISTS
from spendtop.config.settings import Settings
from spendtop.config.shape import is_section, item_type
from spendtop.config.toml import KeyPath, dotted, value_text
from spendtop.config.types import Section, as_written
from spendtop.domain.discreet import Discreet
from spendtop.domain.money import Usd

RESTART_KEYS = frozenset({"server.host", "server.port", "server.ngrok_authtoken", "database.url"})
"""Keys that a running collector cannot change."""


class _Leaf(Discreet, frozen=True):
    """A single value, and how it is shown."""

    value: object
    text: str


_Leaves = Mapping[KeyPath, _Leaf]
_ABSENT = _Leaf(None, "unset")


def differences(old: Settings, new: Settings) -> list[str]:
    """One text per change: `limit.daily.usd: $100.00 → $120.00`, `channel.ops: added`. Secrets are only named.

    Keys that take effect with the next start say so.
    """
    before, after = dict(_leaves((), old)), dict(_leaves((), new))
    texts = [f"{dotted(item)}: removed" for item in _items(before, after)]
    texts += [f"{dotted(item)}: added" for item in _items(after, before)]
    whole_items = {*_items(before, after), *_items(after, before)}
    for path in {**before, **after}:
        was, is_now = before.get(path, _ABSENT), after.get(path, _ABSENT)
        if was != is_now and path[:2] not in whole_items:
            texts.append(_change(dotted(path), was, is_now))
    return texts


def _items(leaves: _Leaves, others: _Leaves) -> list[KeyPath]:
    """The items of lists of tables that only the first configuration has."""
    named = {path[:2]: None for path in leaves if path[0] in NAMED_LISTS}
    return [item for item in named if item not in {path[:2] for path in others}]


def _change(key: str, was: _Leaf, is_now: _Leaf) -> str:
    note = " (from the next start on)" if key in RESTART_KEYS else ""
    if isinstance(was.value, SecretStr) or isinstance(is_now.value, SecretStr):
        return f"{key}: {'set' if not was.value else 'changed' if is_now.value else 'removed'}{note}"
    return f"{key}: {was.text} → {is_now.text}{note}"


def _leaves(path: KeyPath, section: Section) -> Iterator[tuple[KeyPath, _Leaf]]:
    """Every single value of a section with its place; items of lists of tables go by their names."""
    for name, value in section:
        info = type(section).model_fields[name]
        yield from _values((*path, info.alias or name), value, info)


def _values(path: KeyPath, value: object, info: FieldInfo) -> Iterator[tuple[KeyPath, _Leaf]]:
    match value:
        case Section():
            yield from _leaves(path, value)
        case dict():
            for key, item in value.items():
                yield from _values((*path, key), item, info)
        case tuple() if _holds_single_items(info):
            for index, item in enumerate(value):
                yield from _values((*path, getattr(item, "name", index)), item, info)
        case _:
            yield path, _Leaf(value, _shown(value, info))


def _holds_single_items(info: FieldInfo) -> bool:
    """Whether a list's items are told one by one: tables, and secrets."""
    item = item_type(info.annotation)
    return item is SecretStr or is_section(item)


def _shown(value: object, info: FieldInfo) -> str:
    match value:
        case None:
            return _ABSENT.text
        case Usd() | SecretStr():
            return str(value)
        case int() if isinstance(written := as_written(value, info.metadata), str):
            return written
    return value_text(value)
