"""Numbers as providers' answers hold them."""

from __future__ import annotations

from spendtop.domain.requests.request import Status, Usage

MOST_TOKENS = 10_000_000_000
"""A larger count of one request is not believed."""


def count(value: object) -> int | None:
    """A number of tokens as reported, or None for what is not a whole number from 0 to `MOST_TOKENS`."""
    if type(value) is int:
        return value if 0 <= value <= MOST_TOKENS else None
    if type(value) is float and 0 <= value <= MOST_TOKENS and value.is_integer():
        return int(value)
    return None


def counted(usage: Usage, status: Status) -> Usage:
    """What a gateway itself counted of a call whose answer says nothing: no provider bills what it refused."""
    is_refused = status is Status.ERROR and usage.prompt is not None and not usage.completion
    return Usage(prompt=0, completion=0) if is_refused else usage
