"""Sources that we pull: each asks one provider's API for one step, one file per source. They know no store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from spendtop.domain.errors import SpendtopError
from spendtop.domain.ledger.amounts import CostPart as CostPart
from spendtop.domain.ledger.amounts import Costs as Costs
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request


class PollFailed(SpendtopError):
    """A poll did not give a whole answer. Its text is a sentence for people, without any secret."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which the provider wants to be asked again, where it says so."""


class KeyRefused(PollFailed):
    """The provider does not take the key; asking again soon will not help."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, where that is why."""


class PolledPage(Struct, frozen=True, kw_only=True):
    """One step of reading requests."""

    requests: tuple[Request, ...]
    cursor: str
    """The poller's own JSON: where the next step begins."""
    complete_until: int | None
    """Up to when nothing is missing once this page is stored, UTC µs."""
    complete_since: int | None = None
    """From when on; what lies before it was never compared."""
    more: bool
    """Whether the next step is to follow at once."""
    reads_on: bool = False
    """Whether that one only reads, and so may begin before this page is stored."""


class RequestPoller(Protocol):
    """Reads requests from an API, page by page."""

    async def step(self, cursor: str | None, now: int) -> PolledPage:
        """The page behind a cursor; the first one for None. Raises PollFailed."""


class CostPoller(Protocol):
    """Reads what a provider billed."""

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """All pages for these UTC days (both inclusive), or nothing. Raises PollFailed."""


class Limits(Struct, frozen=True, kw_only=True):
    """A whole poll of a provider's own limits."""

    limits: tuple[ProviderLimit, ...]
    flaws: tuple[str, ...] = ()
    """What was odd about the answer, a sentence each."""


class LimitPoller(Protocol):
    """Reads what a provider lets its customers spend."""

    @property
    def provider(self) -> str:
        """As accounts name it."""

    async def limits(self, now: int) -> Limits:
        """All of them at `now` (UTC µs), or nothing. Raises PollFailed."""


class BalancePoller(Protocol):
    """Reads a prepaid balance."""

    @property
    def remark(self) -> str:
        """What the last balance is, a sentence; empty where it is the whole account's."""

    async def balance(self) -> Usd:
        """What is left. Raises PollFailed, also for a balance that is not in US dollars."""


_KINDS: Mapping[str, str] = {
    "sk-admin-": "an admin key of OpenAI",
    "sk-proj-": "a project key of OpenAI",
    "sk-svcacct-": "a service-account key of OpenAI",
    "sk-ant-admin": "an admin key of Anthropic",
    "sk-ant-": "a workspace key of Anthropic",
    "sk-or-": "a key of OpenRouter",
    "sk-helicone-": "a key of Helicone",
    "pk-helicone-": "a key of Helicone",
}
"""Longer beginnings stand before the shorter ones that they hold."""


def wrong_kind(key: str, beginning: str) -> str:
    """A sentence about a key that does not begin as it should, ready to stand before others; empty for one that does.

    The key itself is not in it.
    """
    if key.startswith(beginning):
        return ""
    for prefix, kind in _KINDS.items():
        if key.startswith(prefix):
            return f"The key looks like {kind}; one that begins with {beginning} is needed. "
    return f"The key does not begin with {beginning}. "
