"""What every screen asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.store.reads.agents.blocks import open_blocks
from spendtop.store.reads.agents.plan_use import plan_calls
from spendtop.store.reads.alerts.attention import attention
from spendtop.store.reads.configuration.applied import applied, config_outcome
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.ledger.bills import bills_unseen
from spendtop.store.reads.limits.uses import uses
from spendtop.store.reads.requests.lists import observed_values
from spendtop.store.reads.spending.present import spent_last_hour, spent_today, under_plan_today
from spendtop.store.reads.spending.sums import spend
from spendtop.tui.headline import Headline


def read_headline(connection: Connection, now: int, fallback: Calendar) -> Headline:
    """The status line's figures at `now`."""
    config = applied(connection)
    calendar = config.calendar if config else fallback
    day = bounds(parse_window("day"), now, calendar)
    limits = uses(connection, config.limits, calendar, now, entities_per_limit=1) if config else ()
    worst = limits[0] if limits else None
    has_plans = plan_calls(connection) > 0
    return Headline(
        at=now,
        today=spent_today(connection, calendar, now),
        last_hour=spent_last_hour(connection, now),
        under_plan=under_plan_today(connection, calendar, now) if has_plans else None,
        blocks=tuple(block.bounds for block in open_blocks(connection, now)) if has_plans else (),
        worst=worst,
        forecast=forecast_of(connection, worst, calendar, now) if worst else None,
        attention=attention(connection, now),
        recorded=_counted(connection),
        bills=bills_unseen(connection, config.accounts if config else (), now),
        day=day,
        calendar=calendar,
        applied=config,
        config_news=config_outcome(connection),
    )


@dataclass(frozen=True, slots=True)
class CountQuestion:
    """How many counted requests the store holds; all that is asked while the picture is paused."""

    def ask(self, connection: Connection) -> int:
        return _counted(connection)


@dataclass(frozen=True, slots=True)
class ValuesQuestion:
    """Observed values of a field that begin with a prefix, the costliest first."""

    field: str
    prefix: str
    most: int = 8

    def ask(self, connection: Connection) -> list[Untrusted]:
        return observed_values(connection, self.field, self.prefix, self.most)


def _counted(connection: Connection) -> int:
    return spend(connection, None, None).requests
