"""The last events of one source: what was refused, posted and set aside, and the newest requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.domain.untrusted import Untrusted, clean_line, clean_text
from spendtop.tui import formats
from spendtop.tui.modals.dialog import ReadingDialog
from spendtop.tui.widgets.canvas import Line, fit, fit_middle, fit_right
from spendtop.tui.widgets.request_table import cost_word, status_word

if TYPE_CHECKING:
    from spendtop.domain.bodies.outlines import PostOutline
    from spendtop.services.tasks import Task
    from spendtop.store.reads.rows import RequestRow
    from spendtop.store.reads.sources.door_events import DoorEvents, EventAside
    from spendtop.tui.face import Face

_LINES = 24
"""Of an event's body."""
_USER, _MODEL, _COST, _STATUS, _ID, _LEAST = 12, 18, 10, 5, 24, 8
_WIDEST, _FRAME = 120, 6


class DoorScreen(ReadingDialog):
    HINT = "enter requests · j k scroll · esc closes"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "requests", "requests"),
        ("tab", "posts", "posts"),
        ("q", "cancel", "close"),
    ]

    def __init__(
        self,
        face: Face,
        title: str,
        happened: Sequence[Line],
        events: DoorEvents,
        list_requests: Callable[[], None],
        show_posts: Callable[[Sequence[PostOutline]], None],
    ) -> None:
        """`happened` are refusals and remarks in lines of their own; `list_requests` leads to all of its requests, and
        `show_posts` to posts as they came."""
        super().__init__(f"Last events of {title}")
        self._face = face
        self._happened = happened
        self._events = events
        self._list_requests = list_requests
        self._show_posts = show_posts
        self._posts: Sequence[PostOutline] = ()
        self._remark = ""

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static(Text("\n").join(self._lines()))

    def hear(self, task: Task | None) -> None:
        """What the collector remembers of posts, once it has said so."""
        from msgspec import json

        from spendtop.domain.bodies.outlines import PostOutline
        from spendtop.services.tasks import TaskState

        if task is not None and not task.finished:
            self.remark(task.progress or "")
            return
        if task is None or task.state is not TaskState.DONE or task.result is None:
            self.remark((task and task.result) or "The collector did not say what came.")
            return
        self._posts = json.decode(task.result, type=list[PostOutline])
        self.remark("" if self._posts else "none since the collector started")

    def remark(self, words: str) -> None:
        """Say why there are no posts."""
        self._remark = words
        for text in self.query("#text Static").results(Static):
            text.update(Text("\n").join(self._lines()))

    def action_requests(self) -> None:
        self.dismiss(None)
        self._list_requests()

    def action_posts(self) -> None:
        if self._posts:
            self._show_posts(self._posts)

    def _lines(self) -> Iterator[Text]:
        palette, events = self._face.palette, self._events
        yield Text("Refused, not read, found missing", palette.title)
        for line in self._happened or [[("nothing", palette.muted)]]:
            yield Text.assemble(*line)
        if self._posts or self._remark:
            yield Text()
            words = "; tab shows them whole" if self._posts else ""
            yield Text(f"Posts that were taken, in outline{words}", palette.title)
        for post in self._posts:
            yield Text(f"{self._moment(post.at)}  {formats.size(post.size)}", palette.text)
            yield from self._raw(_by_member(post.text) if post.text else "no JSON, not shown")
        if self._remark:
            yield Text(self._remark, palette.muted)
        yield Text()
        yield Text("Set aside: not counted, kept as they came without recognised secrets", palette.title)
        for each in events.set_aside:
            yield from self._aside(each)
        if not events.set_aside:
            yield Text("nothing", palette.muted)
        yield Text()
        yield Text("Newest requests, as they were read", palette.title)
        for row in events.requests:
            yield self._request(row)
        if not events.requests:
            yield Text("none", palette.muted)

    def _aside(self, aside: EventAside) -> Iterator[Text]:
        palette, event = self._face.palette, aside.event
        is_open = event.state == "open" and event.kind != "test"
        kind = "test event" if event.kind == "test" else "not understood" if is_open else "understood after all"
        head = f"{self._moment(event.received_at)}  {kind}: {event.reason} ({formats.size(event.size)})"
        yield Text(head, palette.bad if is_open else palette.text)
        if aside.raw is None:
            yield Text("  its body is not kept ([privacy] bodies)", palette.muted)
            return
        yield from self._raw(_spread(aside.raw))

    def _raw(self, text: str) -> Iterator[Text]:
        palette, lines = self._face.palette, text.splitlines()
        for line in lines[:_LINES]:
            yield Text(f"  {line}", palette.muted)
        if len(lines) > _LINES:
            yield Text(f"  and {len(lines) - _LINES} more lines", palette.faint)

    def _request(self, row: RequestRow) -> Text:
        """On one line: in little room with less of the model, and without the source's own id."""
        palette, cut = self._face.palette, self._face.glyphs.cut
        moment, own_id = f"{self._moment(row.received_at)}  ", clean_line(row.external_ids.get(row.source, ""))
        room = min(self.app.size.width, _WIDEST) - _FRAME - len(moment) - _USER - _COST - _STATUS - 3
        model = max(min(room, _MODEL), _LEAST)
        line = Text.assemble(
            (moment, palette.muted),
            (fit_middle(str(row.user_id or formats.UNKNOWN), _USER, cut) + " ", palette.who),
            (fit_middle(str(row.model or formats.UNKNOWN), model, cut) + " ", palette.model),
            (fit_right(cost_word(row), _COST) + " ", palette.money),
            (fit(status_word(row), _STATUS), palette.text),
        )
        if (left := min(room - model, _ID)) >= _LEAST:
            line.append(fit_middle(own_id, left, cut), palette.faint)
        return line

    def _moment(self, at: int) -> str:
        face = self._face
        calendar = face.calendar
        is_today = calendar.local(at).date() == calendar.local(face.session.clock()).date()
        return formats.clock(at, calendar) if is_today else formats.day_clock(at, calendar)


def _spread(raw: Untrusted) -> str:
    """JSON with a line for each value; anything else as it is."""
    try:
        return clean_text(json.dumps(json.loads(raw.raw), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return raw.text()


def _by_member(text: str) -> str:
    """JSON with a line for each part of the whole; one that is cut off as it is."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return clean_text(text)
    members = whole.items() if isinstance(whole, dict) else enumerate(whole)
    return clean_text("\n".join(f"{name}: {json.dumps(part, ensure_ascii=False)}" for name, part in members))
