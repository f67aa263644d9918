"""Writes a commented `spendtop.toml`: every key with what it means, the given values in place, the rest as defaults."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from spendtop.config.layers import NAMED_LISTS
from spendtop.config.settings import settings_class
from spendtop.config.shape import fields_by_key, is_section, item_type, meanings, type_at
from spendtop.config.toml import key_text, pairs, value_text
from spendtop.config.types import Section, as_written

_WIDTH = 116
_HEAD = """\
spendtop: what an LLM bill is made of, live.
Lines that begin with "# key =" show defaults; remove the "# " to change one. Saving this file applies it at once.
Durations are 90s, 5m, 1h, 7d. Secrets may be "env:NAME" or "file:PATH"; with secrets in it, keep this file at 0600.
Editors that read taplo's "#:schema ./spendtop.schema.json" on the first line complete and check it, once
`spendtop schema > spendtop.schema.json` has been run beside it.
"""
_EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "account": [
        {"name": "openai", "provider": "openai", "low_balance": Decimal("10.00"), "notify": ["ops"]},
        {"name": "router", "provider": "openrouter", "key": "env:OPENROUTER_KEY", "poll_every": "5m"},
    ],
    "limit": [
        {"name": "daily", "window": "day", "usd": 100, "warn": [0.5, 0.8], "notify": ["ops"]},
        {"name": "each user", "each": "user", "window": "day", "usd": 50, "where": "-model:gpt-4o-mini"},
        {"name": "one request", "window": "request", "usd": 10},
    ],
    "channel": [{"name": "ops", "url": "env:SLACK_WEBHOOK_URL", "min_severity": "warning"}],
}
_PRICE_EXAMPLE = {
    "acme-private-7b": {"input": Decimal("0.20"), "output": Decimal("0.80"), "cache_read": Decimal("0.02")},
    "acme-voice-2": {"audio_input_minute": Decimal("0.006"), "web_searches_per_thousand": Decimal(10)},
    "*": {"input": Decimal(5), "output": Decimal(20)},
}


def render(sections: Mapping[str, type[Section]], values: Mapping[str, Any] | None = None) -> str:
    """The file's text. `values` are nested as in a TOML document, for example the layer that old names make."""
    values = values or {}
    model = settings_class(sections)
    order = ("server", "database", *sections, *fields_by_key(model))
    blocks = [_comment(_HEAD)]
    for name in dict.fromkeys(order):
        kind, value = type_at(model, (name,)), values.get(name)
        if name in NAMED_LISTS:
            blocks.append(_named_list(name, item_type(kind), value or []))
        elif is_section(kind):
            blocks.append(_section(name, kind, value or {}))
        else:
            blocks.append(_tables(name, item_type(kind), value or {}))
    return "\n\n".join(blocks) + "\n"


def _section(name: str, kind: type[Section], values: Mapping[str, Any]) -> str:
    lines = [_comment(_purpose(kind)), f"[{name}]"]
    for key, info in fields_by_key(kind).items():
        lines.append(_comment(_meaning(kind, key)))
        lines.append(f"{key} = {value_text(values[key])}" if key in values else f"# {key} = {_default(info)}")
    return "\n".join(lines)


def _named_list(name: str, kind: type[Section], values: list[dict[str, Any]]) -> str:
    lines = [_comment(_purpose(kind)), *_key_table(kind)]
    if values:
        lines += ["\n".join([f"[[{name}]]", *pairs(item)]) for item in values]
    else:
        lines += [_commented("\n".join([f"[[{name}]]", *pairs(item)])) for item in _EXAMPLES[name]]
    return "\n".join(lines)


def _tables(name: str, kind: type[Section], values: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [_comment(_purpose(kind)), *_key_table(kind)]
    tables = values or _PRICE_EXAMPLE
    texts = ["\n".join([f"[{name}.{key_text(key)}]", *pairs(table)]) for key, table in tables.items()]
    return "\n".join([*lines, *(texts if values else map(_commented, texts))])


def _key_table(kind: type[Section]) -> Iterator[str]:
    by_meaning = groupby(fields_by_key(kind), key=lambda key: _meaning(kind, key))
    return (_comment(f"{', '.join(keys)}: {meaning}", "#   ") for meaning, keys in by_meaning)


def _default(info: FieldInfo) -> str:
    value = info.examples[0] if info.examples else info.get_default(call_default_factory=True, validated_data={})
    assert value is not None and value is not PydanticUndefined, "the template shows a value for every key"
    return value_text(_plain(value, info))


def _plain(value: object, info: FieldInfo) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Section):
        return {key: _plain(item, type(value).model_fields[key]) for key, item in value}
    return as_written(value, info.metadata)


def _purpose(kind: type[Section]) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _meaning(kind: type[Section], key: str) -> str:
    return " ".join(meanings(kind)[key].split())


def _comment(text: str, prefix: str = "# ") -> str:
    lines = (textwrap.fill(line, _WIDTH, initial_indent=prefix, subsequent_indent=prefix) for line in text.splitlines())
    return "\n".join(lines)


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())
