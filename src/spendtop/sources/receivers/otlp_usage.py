"""What the attributes of a span say was used, at which service level, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator

from spendtop.domain.money import ZERO, Usd
from spendtop.domain.request import ServiceLevel, Usage
from spendtop.domain.usage import MOST_TOKENS, count
from spendtop.sources.receivers.otlp_attributes import CannotTake
from spendtop.sources.receivers.otlp_names import NAMES, UNIT_PREFIXES, USAGE_PREFIXES
from spendtop.sources.receivers.otlp_spans import Attributes
from spendtop.sources.receivers.otlp_writers import CONVENTIONS, SpanWriter

INPUT_TOKENS = "gen_ai.usage.input_tokens"
_RAW = "gen_ai.usage.raw"
_NO_COUNT = f"has to be a whole number of tokens from 0 to {MOST_TOKENS:,}"
_TOTALS = {
    "input_tokens": "prompt",
    "output_tokens": "completion",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "output_reasoning_tokens": "reasoning",
}
"""Units that are fields of `Usage`: a span that has them wrong is refused, other wrong counts are passed over."""
_LIFETIMES = ("cache_write_5m_tokens", "cache_write_1h_tokens")
_LEVELS = {
    "batch": "batch",
    "default": "standard",
    "fast": "fast",
    "flex": "flex",
    "on_demand": "standard",
    "priority": "priority",
    "standard": "standard",
    "standard_only": "standard",
}
"""`auto` is what was asked for, not what was served."""


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


def quantities(attributes: Attributes, writer: SpanWriter = CONVENTIONS) -> dict[str, int | float]:
    """What was used, by the units of genai-prices: input includes what the cache gave and took, output includes
    reasoning. What is not said is left out. Raises CannotTake.

    Parts that are larger than their whole stay so: nobody can tell which of the counts is wrong.
    """
    used = _stated(attributes)
    lifetimes = [used[unit] for unit in _LIFETIMES if unit in used]
    if lifetimes and "cache_write_tokens" not in used:
        used["cache_write_tokens"] = sum(lifetimes)
    elif sum(lifetimes) > used.get("cache_write_tokens", 0):
        for unit in _LIFETIMES:
            used.pop(unit, None)
    if not writer.includes_cache and "input_tokens" in used:
        used["input_tokens"] += used.get("cache_read_tokens", 0) + used.get("cache_write_tokens", 0)
    if not writer.includes_reasoning and "output_tokens" in used:
        used["output_tokens"] += used.get("output_reasoning_tokens", 0)
    for name, unit in _BESIDES.items():
        if unit in used:
            used[unit] += count(attributes.get(name)) or 0
    return used


def _stated(attributes: Attributes) -> dict[str, int | float]:
    best: dict[str, tuple[int, str]] = {}
    for name in attributes:
        if name in _RANKED and attributes[name] is not None:
            unit, rank = _RANKED[name]
            if unit not in best or rank < best[unit][0]:
                best[unit] = rank, name
    used: dict[str, int | float] = {}
    wrong: dict[str, str] = {}
    for unit, (_, name) in best.items():
        if unit in _TOTALS:
            tokens = count(attributes[name])
            if tokens is None:
                wrong[name] = _NO_COUNT
            else:
                used[unit] = tokens
        elif (quantity := _quantity(attributes[name])) is not None:
            used[unit] = quantity
    if wrong:
        raise CannotTake(wrong)
    return used


def _quantity(value: object) -> int | float | None:
    """Whole where it can be, as seconds need not be."""
    whole = count(value)
    if whole is not None:
        return whole
    return value if isinstance(value, float) and 0 <= value <= MOST_TOKENS else None


def usage(used: dict[str, int | float]) -> Usage:
    """The counts that screens show, of quantities, and the others."""
    prompt, completion, cache_read, cache_write, reasoning = (count(used.get(unit)) for unit in _TOTALS)
    return Usage(
        prompt=prompt,
        completion=completion,
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=reasoning,
        units={unit: quantity for unit, quantity in used.items() if quantity and unit not in _TOTALS} or None,
    )


def unread(attributes: Attributes) -> Iterator[str]:
    """Names of counts that mean nothing to us, so that nobody prices them."""
    for name, value in attributes.items():
        if (
            name.startswith(USAGE_PREFIXES)
            and name not in _KNOWN
            and not name.startswith(_RAW)
            and not name.endswith("cost")
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and value
        ):
            yield name


def service_level(attributes: Attributes, response: Attributes) -> ServiceLevel | None:
    """At which level the call was served, or was asked for where the answer does not say: `standard`, `batch`,
    `flex`, `priority`, `fast`."""
    inside = response.get("usage")
    usage_object = inside if isinstance(inside, dict) else {}
    if usage_object.get("speed") == "fast":
        return ServiceLevel.FAST
    stated = [attributes.get(name) for name in NAMES.service_level]
    answered = [response.get("service_tier"), usage_object.get("service_tier")]
    words = (each.lower() for each in [*answered, *stated] if isinstance(each, str))
    return next((ServiceLevel(_LEVELS[word]) for word in words if word in _LEVELS), None)


def reported_cost(attributes: Attributes) -> Usd | None:
    """What a gateway or instrumentation says the call cost. Some say 0 of models whose price they do not know, so
    another figure is believed before it."""
    amounts = list(_costs(attributes))
    return next((amount for amount in amounts if amount > ZERO), ZERO if amounts else None)


def _costs(attributes: Attributes) -> Iterator[Usd]:
    for name in NAMES.cost:
        if (amount := _amount(attributes.get(name))) is not None:
            yield amount
    for input_name, output_name in NAMES.cost_of_sides:
        of_input, of_output = _amount(attributes.get(input_name)), _amount(attributes.get(output_name))
        if of_input is not None and of_output is not None:
            yield of_input + of_output


def _amount(value: object) -> Usd | None:
    """An amount of money, also as a text; none where it is below zero or no number."""
    if type(value) not in (int, float, str):
        return None
    try:
        amount = Usd.of(str(value))
    except ValueError:
        return None
    return amount if amount >= ZERO else None
