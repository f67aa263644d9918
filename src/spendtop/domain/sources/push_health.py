"""How well a provider delivers what it pushes here, in sentences: what keeps requests from coming, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from spendtop.domain.clock import to_iso
from spendtop.domain.shell_words import shell_word
from spendtop.domain.sources.records import ProviderPush
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


class Destination(Struct, frozen=True, kw_only=True):
    """One place that a provider pushes to. Instants are UTC µs."""

    id: str
    kind: str = ""
    """Where the provider has several."""
    name: str
    address: str
    """Without the path of traces."""
    is_enabled: bool = True
    disabled_why: str = ""
    """The provider's word for why it is off."""
    succeeded_at: int | None = None
    """When something was delivered last, where the provider says so."""
    failed_at: int | None = None
    failure: str | None = None
    """Of the last delivery that failed, whatever came after it."""
    sampling: float = 1.0
    """Share of the requests that it tells of."""
    sends_content: bool = False
    sends_cost: bool = True
    part: str = ""
    """Of what it tells, in a few words; empty for everything."""

    @property
    def is_failing(self) -> bool:
        """Whether nothing was delivered since a delivery failed: a success does not clear the failure."""
        if self.failure is None:
            return False
        return self.succeeded_at is None or (self.failed_at or 0) > self.succeeded_at

    @property
    def is_sampled(self) -> bool:
        return self.sampling < 1

    @property
    def state(self) -> str:
        """In a few words."""
        if not self.is_enabled:
            return f"off: {clean_line(self.disabled_why)}" if self.disabled_why else "off"
        if self.is_failing:
            return f"failing: {clean_line(self.failure or '')}"
        return "on" if self.succeeded_at is None else f"delivers, last {to_iso(self.succeeded_at)}"


class PushHealth(Struct, frozen=True, kw_only=True):
    """How it stood when it was looked at last."""

    leads_here: bool = True
    """Whether any destination does."""
    amiss: str = ""
    """What keeps requests from coming or from being counted, with the way back; empty while all is well."""
    succeeded_at: int | None = None
    """When something was delivered last, where the provider says so, UTC µs."""
    sampled: bool = False
    """Whether only a sample comes, of which no sum may be made."""


def read(packed: str | None) -> PushHealth:
    """What `packed` gave; all is well where nothing is known."""
    try:
        return msgspec.json.decode(packed or "{}", type=PushHealth)
    except msgspec.DecodeError:
        return PushHealth()


def packed(delivery: PushHealth) -> str:
    return msgspec.json.encode(delivery).decode()


def health_of(push: ProviderPush, ours: Sequence[Destination]) -> PushHealth:
    """How well those that lead here do; one that delivers is enough."""
    if not ours:
        return PushHealth(leads_here=False)
    best = min(ours, key=lambda each: way_back(push, each) is not None)
    succeeded = [each.succeeded_at for each in ours if each.succeeded_at is not None]
    return PushHealth(
        amiss=way_back(push, best) or "",
        succeeded_at=max(succeeded, default=None),
        sampled=any(each.is_enabled and each.is_sampled for each in ours),
    )


def way_back(push: ProviderPush, destination: Destination) -> str | None:
    """What is amiss with a destination and how it comes back; None while it delivers."""
    who = _TITLES[push.provider]
    again = f"`{connecting(push, destination)}`"
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


def connecting(push: ProviderPush, destination: Destination) -> str:
    """The command that sets a destination anew; without the scheme, as messages break links."""
    address = clean_line(destination.address).removeprefix("https://")
    return f"spendtop {push.provider} connect {shell_word(address)}"


def shortcomings(push: ProviderPush, destination: Destination) -> list[str]:
    """What a destination leaves out of what it delivers, a sentence each."""
    sentences = []
    if destination.part:
        sentences.append(f"It tells only of {clean_line(destination.part)}.")
    if not destination.sends_cost:
        sentences.append(f"It sends no costs. `{connecting(push, destination)}` has it send them.")
    return sentences
