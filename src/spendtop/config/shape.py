"""What the settings' classes say about a place in the configuration: which keys are valid there, and what it holds."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from spendtop.config.toml import KeyPath
from spendtop.config.types import Section


def fields_by_key(model: type[Section]) -> dict[str, FieldInfo]:
    """A section's fields by the keys that the configuration uses."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


@cache
def meanings(model: type[Section]) -> Mapping[str, str]:
    """What each field of a section means, by the key that the configuration uses: as it is described where the class is
    made, else by the text below it, for which the source is read."""
    described = {name: info.description for name, info in model.model_fields.items()}
    for kind in model.__mro__:
        if issubclass(kind, Section) and any(described.get(name, "") is None for name in kind.__annotations__):
            (definition,) = ast.parse(inspect.getsource(kind)).body
            described.update(_texts_below_fields(definition))
    return {key: text or "" for key, text in zip(fields_by_key(model), described.values(), strict=True)}


def _texts_below_fields(definition: ast.stmt) -> Iterator[tuple[str, str]]:
    assert isinstance(definition, ast.ClassDef)
    for field, below in pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, inspect.cleandoc(text)


def type_at(model: type[Section], path: KeyPath) -> Any:
    """The type that a place holds; None for a place that does not exist."""
    place: Any = model
    for key in path:
        place = _child(_plain(place), key)
    return _plain(place)


def keys_at(model: type[Section], path: KeyPath) -> list[str]:
    """The keys that are valid in a table."""
    place = type_at(model, path)
    return list(fields_by_key(place)) if is_section(place) else []


def is_section(place: Any) -> bool:
    """Whether a type is one of ours with known keys."""
    return isinstance(place, type) and issubclass(place, BaseModel)


def is_list(place: Any) -> bool:
    """Whether a type is a list of values."""
    return get_origin(place) is tuple


def item_type(place: Any) -> Any:
    """The type of a list's items or a table's values."""
    plain = _plain(place)
    return _plain(get_args(plain)[0] if is_list(plain) else get_args(plain)[1])


def secret_paths(model: type[Section], values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Every place among the values that is declared secret and holds text, with the text."""
    for path, value in _leaves((), values):
        if isinstance(value, str) and type_at(model, path) is SecretStr:
            yield path, value


def _leaves(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves((*path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves((*path, index), item)
    else:
        yield path, value


def _child(place: Any, key: str | int) -> Any:
    if is_section(place):
        info = fields_by_key(place).get(str(key))
        return info.annotation if info else None
    if is_list(place):
        return get_args(place)[0]
    return get_args(place)[1] if get_origin(place) is dict else None


def _plain(place: Any) -> Any:
    """A type without its annotations and without None."""
    if get_origin(place) is Annotated:
        return _plain(get_args(place)[0])
    if get_origin(place) in (Union, UnionType):
        options = [option for option in get_args(place) if option is not type(None)]
        return _plain(options[0])
    return place
