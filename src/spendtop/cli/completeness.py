"""What `spendtop check` says of pollers: how far figures are complete, what was missed, what share was pushed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from spendtop.cli.effective_limits import now
from spendtop.cli.finding import Finding, State
from spendtop.collector.polling.poll_config import Polled, PolledRequests, polled
from spendtop.config.settings import Settings
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.money import ZERO
from spendtop.domain.untrusted import clean_line
from spendtop.store.reads.completeness import PollerRow, gaps, pollers, share_pushed
from spendtop.store.reads.ledger import STALE_AFTER

_GAPS_OVER = 7
"""Days."""
_MOST_GAPS = 1000


def of_pollers(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """A line for each poller of the configuration, and one for what it found."""
    at = now()
    known = {row.name: row for row in pollers(connection)}
    wanted = polled(settings)
    for each in wanted:
        yield _finding(each, known.get(each.name), at)
    if any(isinstance(each, PolledRequests) and each.pushed for each in wanted):
        yield from _missed(connection, at)


def _finding(wanted: Polled, row: PollerRow | None, at: int) -> Finding:
    subject = f"poller {clean_line(wanted.name)}"
    if row is None:
        return Finding(subject, State.NOTE, "has not polled yet", "start `spendtop`")
    if row.failure is not None and row.failed_at is not None:
        last = f"; the last answer came {_ago(at - row.succeeded_at)} ago" if row.succeeded_at is not None else ""
        return Finding(subject, State.WARNING, f"gives nothing{last}", str(row.failure))
    if row.succeeded_at is None or at - row.succeeded_at > STALE_AFTER * wanted.every:
        return Finding(subject, State.WARNING, "has not polled for long", "start `spendtop`")
    complete = f", complete up to {_ago(at - row.complete_until)} ago" if row.complete_until is not None else ""
    return Finding(subject, State.OK, f"polled {_ago(at - row.succeeded_at)} ago{complete}")


def _missed(connection: Connection, at: int) -> Iterator[Finding]:
    since = at - _GAPS_OVER * DAY
    since -= since % HOUR
    found = gaps(connection, since, _MOST_GAPS)
    share = share_pushed(connection, found, since)
    if share is None:
        return
    requests, cost = sum(gap.requests for gap in found), sum((gap.cost for gap in found), ZERO)
    if not requests:
        yield Finding("webhooks", State.OK, f"brought every request of the last {_GAPS_OVER} days")
        return
    gap = "1 gap" if len(found) == 1 else f"{len(found):,} gaps"
    text = f"brought {share:.1%} of the last {_GAPS_OVER} days; polls filled {gap}: {requests:,} requests, {cost}"
    yield Finding("webhooks", State.NOTE, text)


def _ago(micros: int) -> str:
    if micros < HOUR:
        return f"{max(0, micros) // MINUTE} min"
    return f"{micros // HOUR} h" if micros < 2 * DAY else f"{micros // DAY} days"
