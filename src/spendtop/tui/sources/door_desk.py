"""What came in at a source's door last: read from the store, and told by the collector that remembers posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.sources.records import PushedSource
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.sources.door_dialog import DoorScreen
from spendtop.tui.sources.post_dialog import PostScreen
from spendtop.tui.widgets.canvas import Line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.domain.bodies.outlines import PostOutline
    from spendtop.domain.sources.records import Source
    from spendtop.services.tasks import Task
    from spendtop.store.reads.sources.door_events import DoorEvents


class DoorDesk:
    def __init__(self, screen: LiveScreen, writer: StoreWriter) -> None:
        self._screen = screen
        self._writer = writer

    def open(self, source: Source, happened: Sequence[Line], list_requests: Callable[[], None]) -> None:
        """`happened` and `list_requests` as `DoorScreen` takes them."""
        from spendtop.tui.sources.questions import DoorQuestion

        context = FilterContext(self._screen.face.session.clock(), self._screen.calendar)
        show = partial(self._show, source, happened, list_requests)
        self._screen.ask(DoorQuestion(source.name, context), show)

    def _show(
        self, source: Source, happened: Sequence[Line], list_requests: Callable[[], None], events: DoorEvents
    ) -> None:
        face = self._screen.face
        dialog = DoorScreen(face, source.title, happened, events, list_requests, partial(self._show_posts, source))
        self._screen.app.push_screen(dialog)
        if not isinstance(source, PushedSource) or face.session.read_only:
            return
        if face.status_facts().nobody_records:
            dialog.remark("A collector remembers the last ones, and none runs.")
            return
        from spendtop.services.tasks import TaskKind

        self._writer.ask_collector(TaskKind.LAST_POSTS, {"source": source.name}, dialog.hear)

    def _show_posts(self, source: Source, posts: Sequence[PostOutline]) -> None:
        ask = partial(self._ask_body, source)
        self._screen.app.push_screen(PostScreen(self._screen.face, source.title, posts, ask))

    def _ask_body(self, source: Source, post: PostOutline, seen: Callable[[Task | None], None]) -> None:
        from spendtop.services.tasks import TaskKind

        def take(task: Task | None) -> None:
            if task is not None and task.finished:
                self._writer.write(partial(_forget, task.id), lambda _: None)
            seen(task)

        self._writer.ask_collector(TaskKind.POST_BODY, {"source": source.name, "id": post.id}, take)


def _forget(task_id: int, connection: Connection) -> None:
    from spendtop.services import tasks

    tasks.forget(connection, task_id)
