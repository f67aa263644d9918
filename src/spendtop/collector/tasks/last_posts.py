"""Telling what was posted last, for whoever wonders what comes in at a door."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from spendtop.api.recent_posts import RecentPosts
from spendtop.api.shown_posts import ShownPosts
from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.config.settings import Settings
from spendtop.domain.errors import SpendtopError
from spendtop.services.tasks import Task, TaskKind


class LastPosts:
    def __init__(self, posts: RecentPosts, settings: Callable[[], Settings]) -> None:
        self._posts = posts
        self._settings = settings

    def by_kind(self) -> Mapping[TaskKind, SlowTask]:
        return {TaskKind.LAST_POSTS: self.tell, TaskKind.POST_BODY: self.show}

    async def tell(self, task: Task) -> str:
        """Results stay: no prompt is in it."""
        source = str(task.arguments["source"])
        shown = ShownPosts(self._settings(), source)
        return msgspec.json.encode([shown.outline_of(post) for post in self._posts.of(source)]).decode()

    async def show(self, task: Task) -> str:
        """With prompts where these may be kept; whoever asked takes the result out of the store."""
        source = str(task.arguments["source"])
        for post in self._posts.of(source):
            if post.id == task.arguments["id"]:
                return msgspec.json.encode(ShownPosts(self._settings(), source).body_of(post)).decode()
        raise SpendtopError("The collector remembers this post no more: others came after it.")
