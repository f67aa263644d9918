"""What others send beside all that is known of it: passed over, and counted by name.

Whoever reads an answer, a post or a file tells of it here; whoever had it read collects the names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import msgspec.inspect
from msgspec import Struct

from spendtop.domain.sources.remarks import MOST_REMARKS, Remark, RemarkKind, remark

_MOST_NAMES = 1_000
"""Of one answer, those among them that are documented."""
_OTHERS = "others"
_IGNORED = "is not known here and was passed over"

_collected: ContextVar[Counter[str] | None] = ContextVar("unknown_fields", default=None)


@contextmanager
def collecting() -> Iterator[Counter[str]]:
    """Names of all that is unknown in what is read within the block, with how many answers or rows had them."""
    names: Counter[str] = Counter()
    token = _collected.set(names)
    try:
        yield names
    finally:
        _collected.reset(token)


def tell(names: Iterable[str]) -> None:
    """Fields or columns of one answer or row that nobody knows."""
    collected = _collected.get()
    if collected is not None:
        for name in names:
            collected[name if name in collected or len(collected) < MOST_REMARKS else _OTHERS] += 1


def tell_beside(document: object, kind: Any, documented: Collection[str] = ()) -> None:
    """The fields of a decoded answer that neither its structure, of msgspec, has nor its documentation; their path is
    part of the name."""
    if _collected.get() is not None:
        names: set[str] = set()
        _look(document, _shape(kind), "", names)
        tell(sorted(name for name in names if name.rpartition(".")[2] not in documented))


def remarks(names: Mapping[str, int]) -> list[Remark]:
    return [ignored(name, count) for name, count in names.items()]


def ignored(name: str, count: int = 1) -> Remark:
    """Of a field or column that was passed over so often."""
    return msgspec.structs.replace(remark(RemarkKind.UNKNOWN, name, _IGNORED), count=count)


class _Shape(Struct, frozen=True, eq=False):
    """What is known of a value: of an object its fields, of a list or a mapping what each value in it is."""

    fields: dict[str, _Shape | None] | None = None
    each: _Shape | None = None


@lru_cache(maxsize=256)
def _shape(kind: Any) -> _Shape | None:
    return _of_type(msgspec.inspect.type_info(kind))


def _of_type(kind: msgspec.inspect.Type) -> _Shape | None:
    """None where anything may be."""
    match kind:
        case msgspec.inspect.StructType():
            return _Shape({field.encode_name: _of_type(field.type) for field in kind.fields})
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return _Shape(each=_of_type(kind.item_type))
        case msgspec.inspect.DictType():
            return _Shape(each=_of_type(kind.value_type))
        case msgspec.inspect.UnionType():
            return next(filter(None, map(_of_type, kind.types)), None)
    return None


def _look(value: object, shape: _Shape | None, path: str, names: set[str]) -> None:
    if shape is None or len(names) > _MOST_NAMES:
        return
    if isinstance(value, list):
        for each in value:
            _look(each, shape.each, path, names)
    elif isinstance(value, dict) and shape.fields is None:
        for each in value.values():
            _look(each, shape.each, path, names)
    elif isinstance(value, dict) and shape.fields is not None:
        for name, each in value.items():
            place = f"{path}.{name}" if path else name
            if name in shape.fields:
                _look(each, shape.fields[name], place, names)
            else:
                names.add(place)
