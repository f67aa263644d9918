"""What the names of a span's attributes tell before any value is looked at.

Spans of one instrumentation have the same names, so it is told once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from spendtop.sources.receivers.otlp.names import LISTS, NAMES, UNIT_PREFIXES, USAGE_PREFIXES, AttributeNames

_MOST_REMEMBERED = 8 * 1024
"""Characters of the names that are remembered together."""
_RAW = "gen_ai.usage.raw"
_ASSOCIATED = ("traceloop.association.properties.", "ai.telemetry.metadata.")
_NO_PROPERTIES = frozenset({*NAMES.user, *NAMES.session})


def _ranked() -> dict[str, tuple[str, int]]:
    """Attribute to the unit it counts, and how far down it stands among that unit's names."""
    ranked: dict[str, tuple[str, int]] = {}
    for unit, names in NAMES.units.items():
        below = (f"{prefix}{unit}" for prefix in UNIT_PREFIXES)
        for rank, name in enumerate((*names, *(each for each in below if each not in NAMES.not_billed))):
            ranked.setdefault(name, (unit, rank))
    return ranked


_RANKED = _ranked()
_BESIDES = {name: unit for unit, names in NAMES.besides.items() for name in names}
_KNOWN = frozenset({*_RANKED, *_BESIDES, *NAMES.not_billed})


class SpanForm(Struct, frozen=True, eq=False, kw_only=True):
    """Which of the attributes say what; each of them is there."""

    present: tuple[str, ...]
    """All of them."""
    is_remembered: bool
    """Whether it is the same one for the next span with these names."""
    names: AttributeNames
    """`NAMES` with only those in its lists that are there."""
    telling: tuple[str, ...]
    """Those that say who serves a call, and at which terms."""
    counts: tuple[tuple[str, tuple[str, ...]], ...]
    """By unit what counts it, in the order in which it is believed."""
    besides: tuple[tuple[str, str], ...]
    """What counts of a unit as well, with the unit."""
    associated: tuple[tuple[str, str], ...]
    """What the application associated with the call, each with the application's own name for it."""
    unread: tuple[str, ...]
    """What looks like a count and means nothing to us."""


def form_of(attributes: Iterable[str]) -> SpanForm:
    present = tuple(attributes)
    return _remembered(present) if sum(map(len, present)) <= _MOST_REMEMBERED else _form(present, is_remembered=False)


@lru_cache(maxsize=256)
def _remembered(present: tuple[str, ...]) -> SpanForm:
    return _form(present, is_remembered=True)


def _form(present: tuple[str, ...], *, is_remembered: bool) -> SpanForm:
    known = frozenset(present)
    counts: dict[str, list[str]] = {}
    for name in present:
        if name in _RANKED:
            counts.setdefault(_RANKED[name][0], []).append(name)
    lists = {each: tuple(name for name in names if name in known) for each, names in LISTS}
    sides = tuple(pair for pair in NAMES.cost_of_sides if known.issuperset(pair))
    names = replace(NAMES, **lists, cost_of_sides=sides)
    telling = (names.model, names.provider, names.address, names.service_level, names.speed, names.inference_geo)
    return SpanForm(
        present=present,
        is_remembered=is_remembered,
        names=names,
        telling=tuple(chain(*telling)),
        counts=tuple((unit, tuple(sorted(names, key=_rank))) for unit, names in counts.items()),
        besides=tuple((name, unit) for name, unit in _BESIDES.items() if name in known),
        associated=tuple(
            (name, name.removeprefix(prefix))
            for name in present
            for prefix in _ASSOCIATED
            if name.startswith(prefix) and name not in _NO_PROPERTIES
        ),
        unread=tuple(filter(_is_unread, present)),
    )


def _rank(name: str) -> int:
    return _RANKED[name][1]


def _is_unread(name: str) -> bool:
    is_of_usage = name.startswith(USAGE_PREFIXES) and not name.startswith(_RAW)
    return is_of_usage and name not in _KNOWN and not name.endswith("cost")
