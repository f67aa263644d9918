"""Quantities in words: `2 web searches`, `90 s of audio input`, `1,200 audio input tokens`."""

from __future__ import annotations

from spendtop.domain.requests.request import COUNTED_UNITS, Quantities
from spendtop.domain.untrusted import clean_line

_INPUT, _OUTPUT = COUNTED_UNITS[:2]
_TOTALS = {_INPUT: "prompt tokens", _OUTPUT: "completion tokens"}
"""What people call the units of which all others of tokens are parts."""
_SECONDS, _TOKENS = "seconds", "tokens"
_SIDES = ("input", "output")
_PLACES = 3
_LONGEST_UNIT = 60


def quantity_words(unit: str, quantity: float) -> str:
    """How much of a unit of genai-prices' registry; one that came later, or is none, is named as it is spelled."""
    count = f"{round(quantity, _PLACES):,}"
    *kinds, noun = _TOTALS.get(unit, clean_line(unit, _LONGEST_UNIT)).replace("_", " ").split() or [""]
    side = next((kind for kind in kinds if kind in _SIDES), None)
    kinds = [kind for kind in kinds if kind != side]
    if noun == _SECONDS:
        return " ".join((count, "s", "of", *kinds, *([side] if side else [])))
    if side is not None and noun == _TOKENS:
        kinds.append(side)
    return " ".join((count, *kinds, noun if quantity != 1 else _one(noun)))


def quantities_words(quantities: Quantities) -> str:
    """All of them in one phrase: `2 web searches and 90 s of audio input`."""
    *most, last = (quantity_words(unit, quantity) for unit, quantity in quantities.items())
    return f"{', '.join(most)} and {last}" if most else last


def unpriced_words(units: Quantities) -> str:
    """What a partial cost is without: `2 web searches unpriced`."""
    return f"{quantities_words(units)} unpriced"


def _one(noun: str) -> str:
    return noun.removesuffix("es") if noun.endswith("ches") else noun.removesuffix("s")
