"""One post as it came in at a source's door, without the secrets that were recognised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from spendtop.tui import formats
from spendtop.tui.modals.dialog import ReadingDialog
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.json_lines import json_lines

if TYPE_CHECKING:
    from spendtop.domain.bodies.outlines import PostBody, PostOutline
    from spendtop.services.tasks import Task
    from spendtop.tui.face import Face

_FRAME = 6
"""Cells beside the text."""
_WIDEST = 120


class PostScreen(ReadingDialog):
    """The newest first; each is asked for when it is shown."""

    HINT = "[ newer · ] older · j k scroll · esc closes"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("left_square_bracket", "step(-1)", "newer"),
        ("right_square_bracket", "step(1)", "older"),
        ("q", "cancel", "close"),
    ]

    def __init__(
        self,
        face: Face,
        title: str,
        posts: Sequence[PostOutline],
        ask: Callable[[PostOutline, Callable[[Task | None], None]], None],
    ) -> None:
        """`ask` has the collector show one, and hands over what came of it."""
        super().__init__(f"Posts of {title}, without recognised secrets")
        self._face = face
        self._posts = posts
        self._ask = ask
        self._position = 0

    def body(self) -> ComposeResult:
        with VerticalScroll(id="text", can_focus=False):
            yield Static()

    def on_mount(self) -> None:
        self.action_step(0)

    def action_step(self, step: int) -> None:
        """A newer or an older one."""
        self._position = max(0, min(self._position + step, len(self._posts) - 1))
        post = self._posts[self._position]
        self._say("asking the collector")
        self._ask(post, lambda task: self._hear(post, task))

    def _hear(self, post: PostOutline, task: Task | None) -> None:
        from msgspec import json

        from spendtop.domain.bodies.outlines import PostBody
        from spendtop.services.tasks import TaskState

        if not self.is_running or post is not self._posts[self._position]:
            return
        if task is not None and not task.finished:
            self._say(task.progress or "asking the collector")
        elif task is None or task.state is not TaskState.DONE or task.result is None:
            words = (task and task.result) or "The collector did not say what came."
            self._show([[(words, self._face.palette.warn)]])
        else:
            self._show(list(self._lines(json.decode(task.result, type=PostBody))))

    def _say(self, words: str) -> None:
        self._show([[(words, self._face.palette.muted)]])

    def _lines(self, post: PostBody) -> Iterator[Line]:
        if post.remark:
            yield [(post.remark, self._face.palette.warn)]
        yield from json_lines(post.text, min(self.app.size.width, _WIDEST) - _FRAME, self._face.palette)

    def _show(self, lines: Sequence[Line]) -> None:
        palette, post = self._face.palette, self._posts[self._position]
        head: Line = [
            (formats.day_clock(post.at, self._face.calendar), palette.title),
            (f"  {formats.size(post.size)}", palette.text),
            (f"  {self._position + 1} of {len(self._posts)}", palette.muted),
        ]
        text = Text("\n").join(Text.assemble(*line) for line in (head, *lines))
        self.query_one("#text Static", Static).update(text)
        self.action_scroll_top()
