"""What a source could not use of what it was sent: counted by name, for people who look for missing requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.untrusted import clean_line

MOST_REMARKS = 100
"""Names of one post; what has further ones is counted together."""
_LONGEST_NAME = 160
_OTHERS = "others"
_NAMED = 5
"""Fields that a sentence names."""


class RemarkKind(StrEnum):
    """What became of it."""

    NOT_TAKEN = "not taken"
    """It has a model and tokens, but is no call of a model by itself."""
    REFUSED = "refused"
    NOT_KEPT = "not kept"
    """The request was taken without the texts that came with it."""
    UNREAD = "unread field"
    """The request was taken; one of its counts means nothing to us."""
    UNKNOWN = "unknown field"
    """It was passed over; nothing of what is known depends on it."""


class Remark(Struct, frozen=True):
    """What happened how often. Never holds a value that was sent, besides names."""

    kind: RemarkKind
    name: str
    """One clean line."""
    reason: str
    count: int = 1


def remark(kind: RemarkKind, name: str, reason: str) -> Remark:
    return Remark(kind, clean_line(name, _LONGEST_NAME), clean_line(reason))


def folded(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """One remark per kind and name, with the first one's reason, in the order of their first."""
    by_name: dict[tuple[RemarkKind, str], Remark] = {}
    for each in remarks:
        key = (each.kind, each.name)
        if key not in by_name and len(by_name) >= MOST_REMARKS:
            key, each = (each.kind, _OTHERS), replace(each, name=_OTHERS)
        before = by_name.get(key)
        by_name[key] = each if before is None else replace(before, count=before.count + each.count)
    return tuple(by_name.values())


def passed_over(names: Sequence[str]) -> str:
    """A sentence about fields or columns of these names, without a full stop."""
    named = ", ".join(f"`{clean_line(name, _LONGEST_NAME)}`" for name in names[:_NAMED])
    others = len(names) - _NAMED
    are = "1 field or column is" if len(names) == 1 else f"{len(names):,} fields or columns are"
    return f"{are} not known here and passed over: {named}{f' and {others:,} more' if others > 0 else ''}"
