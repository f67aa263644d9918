"""What the status line says on every screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from spendtop.domain.clock import SECOND

if TYPE_CHECKING:
    from spendtop.domain.limits.forecast import Forecast
    from spendtop.domain.windows import Bounds, Calendar
    from spendtop.store.reads.alerts.attention import Attention
    from spendtop.store.reads.configuration.applied import Applied, ConfigOutcome
    from spendtop.store.reads.ledger.bills import Bills
    from spendtop.store.reads.limits.uses import LimitUse
    from spendtop.store.reads.rows import Spend


_SUCCESS_SHOWN = 10 * SECOND


class Headline(Struct, frozen=True, kw_only=True):
    """The bill in one line, as of `at` (UTC µs)."""

    at: int
    today: Spend
    last_hour: Spend
    under_plan: Spend | None
    """What coding agents used under a plan today, at what it would have cost; None where nothing ever was."""
    blocks: tuple[Bounds, ...]
    """Of five hours that are open of agents under a plan, the largest first: guessed."""
    worst: LimitUse | None
    """The fullest limit."""
    forecast: Forecast | None
    """How its use may go on."""
    attention: Attention
    recorded: int
    """Counted requests in the store."""
    bills: Bills | None
    """What stands in place of spend, where providers bill and no requests are seen."""
    day: Bounds
    calendar: Calendar
    applied: Applied | None
    """What the collector applied; None before any collector ran."""
    config_news: ConfigOutcome | None
    """What the last change of the configuration did."""

    @property
    def is_first_run(self) -> bool:
        """Whether nothing at all is recorded."""
        return not self.recorded and self.under_plan is None


class ConfigStatus:
    """What a changed configuration did, for the notice: a refusal until it is repaired, a success for a while."""

    def __init__(self) -> None:
        self._told_at: int | None = None
        self._read_at: int | None = None

    def present(self, headline: Headline | None, now: int) -> ConfigOutcome | None:
        """What still matters at `now` (UTC µs). Whatever was applied after a refusal has repaired it."""
        outcome = headline.config_news if headline else None
        if headline is None or outcome is None or outcome.at > now:
            return None
        if outcome.ok:
            return outcome if now - outcome.at < _SUCCESS_SHOWN else None
        return outcome if headline.applied is None or headline.applied.at <= outcome.at else None

    def refusal(self, headline: Headline | None, now: int) -> ConfigOutcome | None:
        """The refusal that stands."""
        outcome = self.present(headline, now)
        return None if outcome is None or outcome.ok else outcome

    def is_unread(self, headline: Headline | None, now: int) -> bool:
        """Whether a refusal stands that nobody has opened yet."""
        refusal = self.refusal(headline, now)
        return refusal is not None and refusal.at != self._read_at

    def read(self, refusal: ConfigOutcome) -> None:
        """Somebody has opened it."""
        self._read_at = refusal.at

    def untold(self, headline: Headline | None, now: int) -> ConfigOutcome | None:
        """A refusal that was not told in full yet; from now on it was."""
        refusal = self.refusal(headline, now)
        if refusal is None or refusal.at == self._told_at:
            return None
        self._told_at = refusal.at
        return refusal
