"""What single attributes of a span say, whichever of its names a thing has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from spendtop.domain.untrusted import storable_name
from spendtop.sources.receivers.otlp.forms import SpanForm
from spendtop.sources.receivers.otlp.names import ANSWERED, NAMES, OPENED, AttributeNames
from spendtop.sources.receivers.otlp.spans import Attributes
from spendtop.sources.repaired_json import json_text

_STATUS = re.compile(r"[1-5][0-9]{2}")
_JSON = re.compile(r"\s*[{\[]")
_DEEPEST = 4
_LONGEST_LITERAL = 4096


class CannotTake(Exception):
    """A call whose attributes cannot be used: attribute to what it has to be. Never holds a value."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(*fields)
        self.fields = fields


def opened(value: object) -> object:
    """JSON inside a text, decoded; any other value as it is."""
    if not isinstance(value, str) or not _JSON.match(value):
        return value
    try:
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return json_text(value.encode()).value
    except (msgspec.DecodeError, RecursionError):
        return value


def readable(attributes: Attributes) -> Attributes:
    """The attributes, and what is inside those of `OPENED` under names that go on with dots."""
    inside: dict[str, object] = {}
    for name in OPENED:
        if name in attributes:
            _flatten(inside, name, _inner(attributes[name]), _DEEPEST)
    return {**attributes, **inside} if inside else attributes


def with_answer(attributes: Attributes, response: Attributes) -> Attributes:
    """The attributes with the usage that the provider's answer states, under names that go on after `ANSWERED`."""
    inside: dict[str, object] = {}
    if isinstance(response.get("usage"), dict):
        _flatten(inside, ANSWERED, response["usage"], _DEEPEST)
    return {**attributes, **inside} if inside else attributes


def _flatten(found: dict[str, object], name: str, value: object, depth: int) -> None:
    if isinstance(value, Mapping):
        if depth:
            for key, inner in value.items():
                _flatten(found, f"{name}.{key}", inner, depth - 1)
    elif not isinstance(value, list):
        found[name] = value


def _inner(value: object) -> object:
    """Also of a text in quotes, as MLflow writes texts, and of Python's own spelling, as LangSmith writes details."""
    if not isinstance(value, str):
        return value
    if value[:1] == '"':
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    inner = opened(value)
    if inner is value and value.startswith("{'") and len(value) <= _LONGEST_LITERAL:
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return inner


def text(attributes: Attributes, names: Iterable[str]) -> str | None:
    """The first of these attributes that says something; a number, as ids sometimes are, in digits."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
        if type(value) is int:
            return str(value)
    return None


def name(attributes: Attributes, names: Iterable[str]) -> str | None:
    """The same as it is stored."""
    value = text(attributes, names)
    return storable_name(value) if value is not None else None


def number(attributes: Attributes, names: Sequence[str]) -> float | None:
    """The first of these attributes that is a number."""
    for each in names:
        value = attributes.get(each)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def http_status(attributes: Attributes, names: AttributeNames = NAMES) -> int | None:
    """The status of the answer; conventions allow it to stand where the kind of the error does."""
    status = text(attributes, names.http_status)
    return int(status) if status is not None and _STATUS.fullmatch(status) else None


def models(
    attributes: Attributes, response: Attributes, request: Attributes, names: AttributeNames = NAMES
) -> list[str]:
    """The names that the span and its bodies have for the model, the one to price it by first."""
    stated = [name(attributes, (own,)) for own in names.model if own in attributes]
    in_bodies = [name(response, ("model", "modelVersion")), name(request, ("model", "modelId"))]
    return [each for each in (*stated, *in_bodies) if each is not None]


def properties(attributes: Attributes, form: SpanForm, resource: Attributes) -> dict[str, str] | None:
    """The service, its environment, and what the application associated with the call."""
    texts = {
        "service.name": service(resource),
        "deployment.environment": text(resource, ("deployment.environment.name", "deployment.environment")),
    }
    for name, own in form.associated:
        if (value := attributes[name]) is not None:
            texts[own] = word(value)
    return {each: value for each, value in texts.items() if each and value} or None


def service(resource: Attributes) -> str | None:
    """The service's name, unless it is the one that SDKs give to those without."""
    name = text(resource, ("service.name",))
    return None if name is None or name.startswith("unknown_service") else name


def word(value: object) -> str:
    """A value as a property has it: what is no text, as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
