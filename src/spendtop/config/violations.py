"""What pydantic finds wrong with a value, in our own words: for the configuration and the API alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "date_from_datetime_parsing": "a date such as 2026-11-01",
    "date_parsing": "a date such as 2026-11-01",
    "date_type": "a date such as 2026-11-01",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "an object",
    "model_type": "a table",
    "string_type": "text",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "string_too_long": ("max_length", "at most {} characters long"),
    "too_long": ("max_length", "a list of at most {}"),
    "too_short": ("min_length", "a list of at least {}"),
}


def violation(kind: str, context: Mapping[str, Any], message: str) -> str:
    """By the kind and context of an error of pydantic's, and its message for kinds that are told in no other way."""
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        return f"must be one of {context['expected']}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = context[name]
        return f"must be {words.format(int(bound) if bound == int(bound) else bound)}"
    return message
