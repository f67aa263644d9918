"""When a delivery that failed is tried again, and when it is given up."""

from __future__ import annotations

from msgspec import Struct

from spendtop.alerts.delivery_process import DeliveryOutcome, DeliveryResult
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND


class Timing(Struct, frozen=True, kw_only=True):
    """All waits of the outbox, in µs unless said otherwise."""

    deadline: float = 20.0
    """Seconds that a service may take."""
    lease: int = MINUTE
    """For how long a claimed delivery is nobody else's; longer than the deadline and the killing after it."""
    transient: tuple[int, ...] = (
        10 * SECOND,
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        HOUR,
        3 * HOUR,
        6 * HOUR,
    )
    permanent: tuple[int, ...] = (10 * MINUTE, 40 * MINUTE)
    slow_down: int = MINUTE
    """The least wait after a service asked for fewer messages."""
    give_up_after: int = DAY
    most_attempts: int = 12
    failures_until_failing: int = 5
    probe_every: int = 5 * MINUTE
    """How often a failing channel is tried."""
    look_every: int = MINUTE
    """How often the outbox looks without being told, because clocks jump and machines sleep."""
    store_retry: int = SECOND
    """The wait after the store could not be written."""
    stop_grace: float = 5.0
    """Seconds that running deliveries get at the end."""


def next_try(
    timing: Timing, result: DeliveryResult, *, attempts: int, created_at: int, now: int, spread: float
) -> int | None:
    """When to try again after the `attempts`-th try failed (UTC µs), or None to give up.

    `spread` scales the wait (0.8 to 1.2), so that failures of one moment do not return in one moment.
    """
    match result.outcome:
        case DeliveryOutcome.TRANSIENT:
            last = created_at + timing.give_up_after
            if attempts >= timing.most_attempts or now >= last:
                return None
            wait = timing.transient[min(attempts, len(timing.transient)) - 1]
            if result.slow_down:
                wait = max(timing.slow_down, 2 * wait)
            return min(now + int(wait * spread), last)
        case DeliveryOutcome.PERMANENT if attempts <= len(timing.permanent):
            return now + int(timing.permanent[attempts - 1] * spread)
        case _:
            return None
