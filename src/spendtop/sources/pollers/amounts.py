"""Amounts and instants as providers write them, as exact dollars and UTC microseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal

from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.ledger.amounts import exact
from spendtop.domain.money import Usd
from spendtop.sources.pollers import PollFailed

_EXACT = Context(prec=60)


def dollars(provider: str, value: object, unit: Decimal) -> Usd:
    """An amount of which one is worth `unit` US dollars. Raises PollFailed."""
    try:
        return Usd.of(_EXACT.multiply(exact(value), unit))
    except ValueError:
        raise PollFailed(f"{provider} sent something as an amount that is none; nothing of this poll is kept") from None


def dollars_or_none(provider: str, value: object, unit: Decimal) -> Usd | None:
    """The same; None stays None."""
    return None if value is None else dollars(provider, value, unit)


def instant(provider: str, text: str) -> int:
    """UTC microseconds of ISO 8601 text; without a zone it is UTC. Raises PollFailed."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PollFailed(f"{provider} sent something as a time that is none; nothing of this poll is kept") from None
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def day_number(provider: str, text: str) -> int:
    """UTC days since 1970 of ISO 8601 text. Raises PollFailed."""
    return instant(provider, text[:10]) // DAY
