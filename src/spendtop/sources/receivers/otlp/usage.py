"""What the attributes of a span say was used, at which service level, and what it cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from spendtop.domain.money import ZERO, Usd
from spendtop.domain.requests.request import ServiceLevel, Usage
from spendtop.domain.usage import MOST_TOKENS, count
from spendtop.domain.usage.levels import level_word, place_word, speed_word
from spendtop.domain.usage.levels import service_level as level_of
from spendtop.sources.receivers.otlp.attributes import CannotTake
from spendtop.sources.receivers.otlp.forms import SpanForm
from spendtop.sources.receivers.otlp.names import NAMES, AttributeNames
from spendtop.sources.receivers.otlp.spans import Attributes
from spendtop.sources.receivers.otlp.writers import CONVENTIONS, SpanWriter

INPUT_TOKENS = "gen_ai.usage.input_tokens"
_NO_COUNT = f"has to be a whole number of tokens from 0 to {MOST_TOKENS:,}"
_DIGITS = re.compile("[0-9]{1,18}")
_TOTALS = {
    "input_tokens": "prompt",
    "output_tokens": "completion",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "output_reasoning_tokens": "reasoning",
}
"""Units that are fields of `Usage`: a span that has them wrong is refused, other wrong counts are passed over."""
_LIFETIMES = ("cache_write_5m_tokens", "cache_write_1h_tokens")


def quantities(attributes: Attributes, form: SpanForm, writer: SpanWriter = CONVENTIONS) -> dict[str, int | float]:
    """What was used, by the units of genai-prices: input includes what the cache gave and took, output includes
    reasoning. What is not said is left out. Raises CannotTake.

    Parts that are larger than their whole stay so: nobody can tell which of the counts is wrong.
    """
    used = _stated(attributes, form)
    _complete(used, attributes, form, writer)
    if lifetimes := [used[unit] for unit in _LIFETIMES if unit in used]:
        written = used.setdefault("cache_write_tokens", sum(lifetimes))
        if sum(lifetimes) > written:
            for unit in _LIFETIMES:
                used.pop(unit, None)
    if not writer.includes_cache and "input_tokens" in used:
        used["input_tokens"] += used.get("cache_read_tokens", 0) + used.get("cache_write_tokens", 0)
    if not writer.includes_reasoning and "output_tokens" in used:
        used["output_tokens"] += used.get("output_reasoning_tokens", 0)
    for name, unit in form.besides:
        if unit in used:
            used[unit] += count(attributes[name]) or 0
    return used


def _complete(used: dict[str, int | float], attributes: Attributes, form: SpanForm, writer: SpanWriter) -> None:
    """What the total of a call tells: the side that is missing, as embeddings have only one, and that reasoning is
    beside the output, as Gemini counts it."""
    total = next((each for name in form.names.total if (each := _count(attributes[name])) is not None), None)
    given, made = used.get("input_tokens"), used.get("output_tokens")
    if total is None:
        return
    if given is None:
        if total >= (made or 0):
            used["input_tokens"] = total - (made or 0)
    elif made is None:
        if total > given:
            used["output_tokens"] = total - given
    elif writer.includes_reasoning and total == given + made + used.get("output_reasoning_tokens", 0):
        used["output_tokens"] = total - given


def _count(value: object) -> int | None:
    """A count, also as a text."""
    return count(int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value)


def _stated(attributes: Attributes, form: SpanForm) -> dict[str, int | float]:
    used: dict[str, int | float] = {}
    wrong: dict[str, str] = {}
    for unit, names in form.counts:
        for name in names:
            if (value := attributes[name]) is not None:
                quantity = _count(value) if unit in _TOTALS else _quantity(value)
                if quantity is not None:
                    used[unit] = quantity
                elif unit in _TOTALS:
                    wrong[name] = _NO_COUNT
                break
    if wrong:
        raise CannotTake(wrong)
    return used


def _quantity(value: object) -> int | float | None:
    """Whole where it can be, as seconds need not be."""
    whole = _count(value)
    if whole is not None:
        return whole
    return value if isinstance(value, float) and 0 <= value <= MOST_TOKENS else None


def usage(used: dict[str, int | float]) -> Usage:
    """The counts that screens show, of quantities, and the others."""
    prompt, completion, cache_read, cache_write, reasoning = [count(used.get(unit)) for unit in _TOTALS]
    return Usage(
        prompt=prompt,
        completion=completion,
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=reasoning,
        units={unit: quantity for unit, quantity in used.items() if quantity and unit not in _TOTALS} or None,
    )


def completed(stated: Usage, answered: Usage) -> Usage:
    """The attributes' counts, and what only the provider's whole answer says: parts of the same sums, and what is
    billed besides tokens."""
    if not stated.is_known and stated.total is None:
        return answered
    is_one = (stated.prompt, stated.completion) == (answered.prompt, answered.completion)
    units = {
        unit: quantity for unit, quantity in (answered.units or {}).items() if is_one or not unit.endswith("_tokens")
    } | (stated.units or {})
    if not is_one:
        return replace(stated, units=units or None)
    return replace(
        stated,
        cache_read=answered.cache_read if stated.cache_read is None else stated.cache_read,
        cache_write=answered.cache_write if stated.cache_write is None else stated.cache_write,
        reasoning=answered.reasoning if stated.reasoning is None else stated.reasoning,
        units=units or None,
    )


def unread(attributes: Attributes, form: SpanForm) -> Iterator[str]:
    """Names of counts that mean nothing to us, so that nobody prices them."""
    for name in form.unread:
        value = attributes[name]
        if (type(value) is int or type(value) is float) and value:
            yield name


def service_level(attributes: Attributes, response: Attributes, names: AttributeNames = NAMES) -> ServiceLevel | None:
    """At which level the call was served, or was asked for where the answer does not say."""
    inside = response.get("usage")
    usage_object = inside if isinstance(inside, dict) else {}
    tiers = (response.get("service_tier"), usage_object.get("service_tier"), *map(attributes.get, names.service_level))
    speeds = (usage_object.get("speed"), *map(attributes.get, names.speed))
    return level_of(_first(level_word, tiers), _first(speed_word, speeds))


def inference_geo(attributes: Attributes, names: AttributeNames = NAMES) -> str | None:
    """Where the call was served, for which some take more."""
    return _first(place_word, map(attributes.get, names.inference_geo))


def _first(read: Callable[[object], str | None], values: Iterable[object]) -> str | None:
    return next((word for value in values if value is not None and (word := read(value)) is not None), None)


def reported_cost(attributes: Attributes, names: AttributeNames = NAMES) -> Usd | None:
    """What a gateway or instrumentation says the call cost. Some say 0 of models whose price they do not know, so
    another figure is believed before it."""
    amounts = list(_costs(attributes, names))
    return next((amount for amount in amounts if amount > ZERO), ZERO if amounts else None)


def _costs(attributes: Attributes, names: AttributeNames) -> Iterator[Usd]:
    for name in names.cost:
        if (amount := amount_of(attributes.get(name))) is not None:
            yield amount
    for input_name, output_name in names.cost_of_sides:
        of_input, of_output = amount_of(attributes.get(input_name)), amount_of(attributes.get(output_name))
        if of_input is not None and of_output is not None:
            yield of_input + of_output


def amount_of(value: object) -> Usd | None:
    """An amount of money, also as a text; none where it is below zero or no number."""
    if type(value) not in (int, float, str):
        return None
    try:
        amount = Usd.of(str(value))
    except ValueError:
        return None
    return amount if amount >= ZERO else None
