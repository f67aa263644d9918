"""What a provider's answer says of its usage, in one form for all of them."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import registry
from spendtop.domain.reports.merging import bare_model
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import Quantities, ServiceLevel, Usage
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage.answers import kept_answer
from spendtop.domain.usage.kept import Flat, Kept, keep
from spendtop.domain.usage.levels import service_level
from spendtop.domain.usage.shapes import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, REASONING, Used, read_shape

MOST_UNREAD = 8
LONGEST_UNREAD = 64

_COUNTS = (INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING)
_TICKS = 10_000_000_000
"""Of xAI's, in a dollar."""
_LARGEST_FIGURE = 10**18
_FIGURES = ("cost_in_usd_ticks", "cost.total_cost", "cost", "total_cost", "estimated_cost")
"""What a whole answer cost, the most exact first."""
_FLEX, _PRIORITY = "input_token_details.flex", "input_token_details.priority"
"""How LangChain says a service level."""
_TRAFFIC = "extra_properties.google.traffic_type"
"""How Vertex says it to clients of OpenAI's."""


class UsageReading(Struct, frozen=True, kw_only=True, gc=False):
    """What an answer says."""

    usage: Usage = Usage()
    service_level: ServiceLevel | None = None
    inference_geo: str | None = None
    cost: Usd | None = None
    """The provider's own figure."""
    provider_usage: bytes | None = None
    """What is kept to be read again, packed."""
    unread: tuple[str, ...] = ()
    """Names of fields that say a number which nobody reads; at most so many."""
    miscounted: tuple[str, ...] = ()
    """Names of known counts that are none."""
    model: str | None = None
    """The one that the answer names."""

    def served_model(self, asked: str | None) -> str | None:
        """The model that served, where it is another one than the one that was asked for, such as a deployment."""
        if self.model is None or self.model == asked:
            return None
        return None if asked is not None and _are_one(asked, self.model) else self.model


@lru_cache(maxsize=1024)
def _are_one(name: str, other: str) -> bool:
    return bare_model(name) == bare_model(other)


NOTHING = UsageReading()


def read_response(
    answer: object, request: object = None, provider: str | None = None, model: str | None = None
) -> UsageReading:
    """What a provider's whole answer says: its JSON decoded, the chunks of a stream or their text.

    The request's body tells the service level that was asked for, where the answer says none; provider and model are
    those that the report names.
    """
    if not answer and not request:
        return NOTHING
    kept, answered = kept_answer(answer, request)
    if not kept.flat and answered is None:
        return NOTHING
    named = storable_name(answered) if answered is not None else None
    return _reading(kept, provider, named or model, named)


def read_usage(usage: object) -> UsageReading:
    """What a bare usage object says, whichever provider's shape it has."""
    return _reading(keep(usage), None, None, None) if isinstance(usage, dict) and usage else NOTHING


def read_kept(kept: dict[str, Any], provider: str | None, model: str | None) -> UsageReading:
    """What a kept object says to the reader of today."""
    return _reading(keep(kept), provider, model, None)


def usage_of_response(response: object) -> Usage:
    """Only the quantities of a provider's answer."""
    return read_response(response).usage


def _reading(kept: Kept, provider: str | None, model: str | None, answered: str | None) -> UsageReading:
    flat = kept.flat
    used, unread, miscounted = read_shape(flat, provider, model)
    if unread:
        unread = [name for name in unread if not _is_unit(name, flat[name], used)]
    return UsageReading(
        usage=_usage(used),
        service_level=_level(flat),
        inference_geo=flat.get("inference_geo"),
        cost=_cost(flat),
        provider_usage=pack(kept.object) or pack(flat),
        unread=_bounded(unread) if unread else (),
        miscounted=tuple(miscounted) if miscounted else (),
        model=answered,
    )


def _is_unit(name: str, value: object, used: Used) -> bool:
    """Whether a field is called as a unit of the registry; it counts then."""
    if name not in registry().units or isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return False
    used.setdefault(name, value)
    return True


def _usage(used: Used) -> Usage:
    units: Quantities | None = None
    for unit, quantity in used.items():
        if quantity > 0 and unit not in _COUNTS:
            units = units or {}
            units[unit] = _whole(quantity)
    prompt, completion, read, written, reasoning = map(used.get, _COUNTS)
    return Usage(
        prompt=None if prompt is None or prompt < 0 else int(prompt),
        completion=None if completion is None or completion < 0 else int(completion),
        cache_read=None if read is None or read < 0 else int(read),
        cache_write=None if written is None or written < 0 else int(written),
        reasoning=None if reasoning is None or reasoning < 0 else int(reasoning),
        units=units,
    )


def _whole(quantity: int | float) -> int | float:
    return int(quantity) if isinstance(quantity, float) and quantity.is_integer() else quantity


def _level(flat: Flat) -> ServiceLevel | None:
    tier = flat.get("service_tier") or flat.get("serviceTier") or flat.get("trafficType") or flat.get("traffic_type")
    if tier is None:
        tier = flat.get(_TRAFFIC)
    if tier is None:
        tier = "flex" if _FLEX in flat else "priority" if _PRIORITY in flat else None
    speed = flat.get("speed") or flat.get("latency")
    return None if tier is None and speed is None else service_level(tier, speed)


def _cost(flat: Flat) -> Usd | None:
    """What the provider says to have billed, in dollars."""
    if flat.keys().isdisjoint(_FIGURES):
        return None
    if flat.get("currency", flat.get("cost.currency", "USD")) != "USD":
        return None
    figures = ((name, _figure(flat.get(name))) for name in _FIGURES)
    name, figure = next((each for each in figures if each[1] is not None), ("", None))
    if figure is None or name == "cost":
        return None if figure is None else _with_upstream(figure, flat)
    return Usd.of(figure / _TICKS if name == "cost_in_usd_ticks" else figure)


def _with_upstream(cost: Decimal, flat: Flat) -> Usd | None:
    """OpenRouter's own part and, with one's own key, what the provider behind it charges to that."""
    behind = _figure(flat.get("cost_details.upstream_inference_cost")) or Decimal(0)
    is_byok = flat.get("is_byok")
    if is_byok and cost == 0 and not behind:
        return None
    if is_byok or (is_byok is None and behind > cost):
        cost += behind
    return Usd.of(cost)


def _figure(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_FIGURE:
        return None
    return Decimal(repr(value))


def _bounded(names: list[str]) -> tuple[str, ...]:
    return tuple(name[:LONGEST_UNREAD] for name in names[:MOST_UNREAD])
