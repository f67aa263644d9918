"""A desk for jobs and pollers, on the bench of the collector's rooms."""

from __future__ import annotations

from dataclasses import dataclass, field

from spendtop.collector.polling.poll_loop import Job
from spendtop.collector.polling.poll_steps import Desk
from spendtop.services import checkpoints
from spendtop.services.checkpoints import Checkpoint
from tests.collector.conftest import Bench


@dataclass
class Office:
    """A desk, and what was said and stored at it."""

    bench: Bench
    said: list[str] = field(default_factory=list)
    stored: int = 0

    def __post_init__(self) -> None:
        self.desk = Desk(
            store=self.bench.store,
            recorder=self.bench.recorder,
            clock=self.bench.clock,
            stored=self._count,
            say=self.said.append,
        )

    def _count(self) -> None:
        self.stored += 1

    async def poll(self, job: Job) -> int:
        """One whole poll; returns how many steps it took."""
        began, steps = self.bench.clock(), 1
        while await job.step(began):
            steps += 1
        return steps

    def checkpoint(self, poller: str) -> Checkpoint:
        with self.bench.store.reading() as connection:
            return checkpoints.load(connection, poller)
