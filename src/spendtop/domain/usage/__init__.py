"""Usage out of what providers, gateways and SDKs call usage: wire shapes in, quantities by unit out."""

from __future__ import annotations

from spendtop.domain.usage.contradictions import contradiction
from spendtop.domain.usage.counts import MOST_TOKENS, count, counted
from spendtop.domain.usage.reading import UsageReading, read_kept, read_response, read_usage, usage_of_response

__all__ = [
    "MOST_TOKENS",
    "UsageReading",
    "contradiction",
    "count",
    "counted",
    "read_kept",
    "read_response",
    "read_usage",
    "usage_of_response",
]
