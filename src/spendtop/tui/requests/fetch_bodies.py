"""Asking Helicone for the prompt and response of a request whose bodies are not stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.request import BodyState
from spendtop.domain.sources import HELICONE, HELICONE_API
from spendtop.tui.requests.browsing import BrowsingScreen
from spendtop.tui.screens.writing import Writing

if TYPE_CHECKING:
    from spendtop.store.reads.rows import RequestRow

_OF_HELICONE = (HELICONE_API.name, HELICONE.name)
_NOT_FOR_GOOD = (BodyState.NOT_SENT, BodyState.NOT_KEPT, BodyState.TRUNCATED)


class Fetching(Writing, BrowsingScreen):
    """The part of the requests screen that has bodies fetched."""

    @property
    def fetchable(self) -> RequestRow | None:
        """The request in the detail, if Helicone can be asked for its bodies and they would be kept."""
        found = self.detail.detail
        applied = self.face.headline.applied if self.face.headline else None
        if found is None or applied is None or not (applied.asks_helicone and applied.keeps_bodies):
            return None
        row = found.row
        came_through = any(source in row.external_ids for source in _OF_HELICONE)
        return row if came_through and row.body_state in _NOT_FOR_GOOD else None

    def action_fetch(self) -> None:
        """Have the collector ask for them; they appear by themselves."""
        from spendtop.services.tasks import TaskKind

        row = self.fetchable
        if row is not None:
            self.ask_collector(TaskKind.FETCH_BODY, {"id": str(row.id)})
