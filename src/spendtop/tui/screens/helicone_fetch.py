"""Having the collector ask Helicone for a session or for prompts and responses, and showing how far it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.widgets.canvas import Line

if TYPE_CHECKING:
    from spendtop.services.tasks import Task, TaskKind
    from spendtop.store.reads.configuration.applied import Applied


class HeliconeFetch:
    """What a screen asks for; one question at a time."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._writer = StoreWriter(screen)
        self._progress: str | None = None
        """While a question is under way."""

    @property
    def _applied(self) -> Applied | None:
        headline = self._screen.face.headline
        return headline.applied if headline else None

    @property
    def can_ask(self) -> bool:
        """Whether the collector has a key for Helicone's API."""
        return self._applied is not None and self._applied.asks_helicone

    @property
    def can_keep(self) -> bool:
        """Whether prompts and responses that it gave would be stored."""
        return self.can_ask and self._applied is not None and self._applied.keeps_bodies

    def session(self, session: str) -> None:
        """All requests of a session, and their prompts and responses where these are kept."""
        from spendtop.services.tasks import TaskKind

        self._ask(TaskKind.FETCH_BODIES, {"session": session})

    def body(self, request_id: int) -> None:
        """Prompt and response of one request, by our id."""
        from spendtop.services.tasks import TaskKind

        self._ask(TaskKind.FETCH_BODY, {"id": str(request_id)})

    def bodies(self, ids: Collection[int]) -> None:
        """Prompts and responses of requests, by our ids."""
        from spendtop.services.tasks import TaskKind

        self._ask(TaskKind.FETCH_BODIES, {"ids": [str(request_id) for request_id in sorted(ids)]})

    def remarks(self) -> Line:
        """How far it is; nothing while nothing is asked."""
        if self._progress is None:
            return ()
        return [(f"asking Helicone: {self._progress}   ", self._screen.face.palette.key)]

    def _ask(self, kind: TaskKind, arguments: dict[str, object]) -> None:
        if self._progress is not None:
            self._screen.warn("Helicone is being asked already; its answer comes first.")
            return
        self._writer.ask_collector(kind, arguments, self._seen)

    def _seen(self, task: Task | None) -> None:
        is_under_way = task is not None and not task.finished
        self._progress = task.progress if task is not None and is_under_way else None
        self._screen.tick()
        if not is_under_way:
            self._writer.tell(task)
            self._screen.news()
