"""The kinds of tasks that take long, each with what does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spendtop.api.recent_posts import RecentPosts
from spendtop.collector.polling.poll_steps import PollContext
from spendtop.collector.polling.poll_supervisor import PollSupervisor
from spendtop.collector.tasks.last_posts import LastPosts
from spendtop.collector.tasks.repricing_tasks import RepricingTasks
from spendtop.collector.tasks.sample_events import SampleEvents
from spendtop.collector.tasks.sent_tests_removal import SentTestsRemoval
from spendtop.collector.tasks.slow_tasks import SlowTask, SlowTasks
from spendtop.config.settings import Settings
from spendtop.services.tasks import TaskKind


def all_slow_tasks(
    polling: PollContext,
    pollers: PollSupervisor,
    settings: Callable[[], Settings],
    url: str,
    posts: RecentPosts,
) -> Mapping[TaskKind, SlowTask]:
    """`url` is where we listen."""
    return {
        **SlowTasks(polling, pollers, settings).by_kind(),
        **RepricingTasks(polling, settings).by_kind(),
        **SentTestsRemoval(polling).by_kind(),
        **SampleEvents(url, settings, polling.clock).by_kind(),
        **LastPosts(posts, settings).by_kind(),
    }
