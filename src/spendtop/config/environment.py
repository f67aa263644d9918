"""The layers above the file: `SPENDTOP_<SECTION>__<KEY>` variables and the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from spendtop.config.layers import Layer, Origin
from spendtop.config.section import Section
from spendtop.config.shape import is_list, type_at

PREFIX = "SPENDTOP_"
SEPARATOR = "__"

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def environment_layer(variables: Mapping[str, str], model: type[Section]) -> Layer:
    """What the variables say. Text that does not fit its place is kept, so that validation names the variable."""
    layer = Layer()
    for name, text in sorted(variables.items()):
        if name.startswith(PREFIX) and SEPARATOR in name:
            path = tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR))
            layer.set(path, _typed(text, type_at(model, path)), Origin(f"environment {name}"))
    return layer


def command_line_layer(overrides: Mapping[str, Mapping[str, Any]]) -> Layer:
    """What the command line says: values by section and key; None is not given."""
    layer = Layer()
    for section, values in overrides.items():
        for key, value in values.items():
            if value is not None:
                layer.set((section, key), value, Origin("command line"))
    return layer


def _typed(text: str, place: Any) -> object:
    """A variable's text as the value that its place takes; the text itself where it is none."""
    stripped = text.strip()
    try:
        if stripped.startswith(("[", "{")):
            return tomllib.loads(f"value = {stripped}", parse_float=Decimal)["value"]
        if is_list(place):
            return [part.strip() for part in stripped.split(",") if part.strip()]
        if place is bool:
            return _BOOLEANS.get(stripped.lower(), text)
        if place is int:
            return int(stripped)
        if place is date:
            return date.fromisoformat(stripped)
    except ValueError:
        return text
    return text
