"""How well a provider delivers what it pushes here, in sentences: what keeps requests from coming, and the way back."""

from __future__ import annotations

from typing import Protocol

import msgspec
from msgspec import Struct

from spendtop.domain.clock import to_iso
from spendtop.domain.sources import ProviderPush
from spendtop.domain.untrusted import clean_line

_TITLES = {"anthropic": "Anthropic", "openrouter": "OpenRouter"}
_REASONS = {
    "caller": "somebody switched it off",
    "sustained_failure": "deliveries failed for long",
    "invalid_address": "its address was found to be none that is public",
    "redirect": "the address answered with a redirect",
}
_FIRST = {
    "sustained_failure": "see that the tunnel or proxy leads to the collector",
    "invalid_address": "have its name lead to a public address",
    "redirect": "have the proxy pass posts on in place of redirecting them",
}


class Delivering(Protocol):
    """What is asked of a destination."""

    @property
    def is_enabled(self) -> bool: ...
    @property
    def disabled_why(self) -> str: ...
    @property
    def is_failing(self) -> bool: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def failed_at(self) -> int | None: ...
    @property
    def succeeded_at(self) -> int | None: ...
    @property
    def is_sampled(self) -> bool: ...
    @property
    def sampling(self) -> float: ...
    @property
    def sends_cost(self) -> bool: ...
    @property
    def part(self) -> str: ...


class Delivery(Struct, frozen=True, kw_only=True):
    """How it stood when it was looked at last."""

    leads_here: bool = True
    """Whether any destination does."""
    amiss: str = ""
    """What keeps requests from coming or from being counted, with the way back; empty while all is well."""
    succeeded_at: int | None = None
    """When something was delivered last, where the provider says so, UTC µs."""
    sampled: bool = False
    """Whether only a sample comes, of which no sum may be made."""


def read(packed: str | None) -> Delivery:
    """What `packed` gave; all is well where nothing is known."""
    try:
        return msgspec.json.decode(packed or "{}", type=Delivery)
    except msgspec.DecodeError:
        return Delivery()


def packed(delivery: Delivery) -> str:
    return msgspec.json.encode(delivery).decode()


def delivery_of(push: ProviderPush, ours: list[Delivering]) -> Delivery:
    """How well those that lead here do; one that delivers is enough."""
    if not ours:
        return Delivery(leads_here=False)
    best = min(ours, key=lambda each: way_back(push, each) is not None)
    succeeded = [each.succeeded_at for each in ours if each.succeeded_at is not None]
    return Delivery(
        amiss=way_back(push, best) or "",
        succeeded_at=max(succeeded, default=None),
        sampled=any(each.is_enabled and each.is_sampled for each in ours),
    )


def way_back(push: ProviderPush, destination: Delivering) -> str | None:
    """What is amiss with a destination and how it comes back; None while it delivers."""
    who = _TITLES[push.provider]
    again = f"`spendtop {push.provider} connect URL`"
    if not destination.is_enabled:
        reason = destination.disabled_why
        why = _REASONS.get(reason, clean_line(reason, 60) or "no reason is given")
        first = f"{_FIRST[reason][:1].upper()}{_FIRST[reason][1:]}, then " if reason in _FIRST else ""
        return (
            f"{who}'s destination is off: {why}. {first}{again} switches it on; requests of the time between are not"
            " pushed again."
        )
    if destination.is_failing:
        since = "" if destination.failed_at is None else f" at {to_iso(destination.failed_at)}"
        last = "never" if destination.succeeded_at is None else f"last at {to_iso(destination.succeeded_at)}"
        return (
            f"{who} cannot deliver: {clean_line(destination.failure or '', 120)}{since}; it delivered {last}. See that"
            f" the tunnel or proxy leads to the collector; `spendtop {push.provider} test` tries it."
        )
    if destination.is_sampled:
        return (
            f"{who} sends only {destination.sampling * 100:g} % of the requests, so what comes is kept but not counted."
            f" {again} has it send all."
        )
    return None


def shortcomings(push: ProviderPush, destination: Delivering) -> list[str]:
    """What a destination leaves out of what it delivers, a sentence each."""
    sentences = []
    if destination.part:
        sentences.append(f"It tells only of {clean_line(destination.part)}.")
    if not destination.sends_cost:
        sentences.append(f"It sends no costs. `spendtop {push.provider} connect URL` has it send them.")
    return sentences
