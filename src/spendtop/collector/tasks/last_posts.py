"""Telling what was posted last, for whoever wonders what comes in at a door."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from spendtop.api.recent_posts import RecentPosts
from spendtop.collector.from_settings import keeps_bodies, own_secrets
from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.config.settings import Settings
from spendtop.domain.bodies.outlines import LONGEST_WORD, PostOutline, outline
from spendtop.domain.bodies.redaction import Redactor
from spendtop.services.tasks import Task, TaskKind


class LastPosts:
    def __init__(self, posts: RecentPosts, settings: Callable[[], Settings]) -> None:
        self._posts = posts
        self._settings = settings

    def by_kind(self) -> Mapping[TaskKind, SlowTask]:
        return {TaskKind.LAST_POSTS: self.tell}

    async def tell(self, task: Task) -> str:
        """The result is read later than bodies may be kept, so no prompt is in it; where none may be kept, no word."""
        settings = self._settings()
        longest_word = LONGEST_WORD if keeps_bodies(settings) else 0
        redactor = Redactor(own_secrets(settings))
        outlines: Sequence[PostOutline] = [
            PostOutline(post.at, post.size, outline(redactor.redact(post.beginning), longest_word))
            for post in self._posts.of(str(task.arguments["source"]))
        ]
        return msgspec.json.encode(outlines).decode()
