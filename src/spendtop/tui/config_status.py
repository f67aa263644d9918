"""What a changed configuration did, for the notice: a refusal until it is repaired, a success for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.clock import SECOND

if TYPE_CHECKING:
    from spendtop.store.reads.applied_config import ConfigChange
    from spendtop.tui.headline import Headline

SHOWN_FOR = 10 * SECOND


class ConfigNews:
    """Remembers which news were told in full already."""

    def __init__(self) -> None:
        self._told_at: int | None = None

    def present(self, headline: Headline | None, now: int) -> ConfigChange | None:
        """What still matters at `now` (UTC µs). Whatever was applied after a refusal has repaired it."""
        news = headline.config_news if headline else None
        if headline is None or news is None:
            return None
        if news.ok:
            return news if now - news.at < SHOWN_FOR else None
        return news if headline.applied is None or headline.applied.at <= news.at else None

    def untold(self, headline: Headline | None, now: int) -> ConfigChange | None:
        """A refusal that was not told in full yet; from now on it was."""
        news = self.present(headline, now)
        if news is None or news.ok or news.at == self._told_at:
            return None
        self._told_at = news.at
        return news
