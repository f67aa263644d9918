"""What pollers work with, on the bench of the collector."""

from __future__ import annotations

from dataclasses import dataclass, field

from spendtop.collector.polling.poll_loop import PollSteps
from spendtop.collector.polling.poll_steps import PollContext
from spendtop.services import checkpoints
from spendtop.services.checkpoints import Checkpoint
from tests.collector.conftest import Bench


@dataclass
class Polling:
    """What polling says and stores."""

    bench: Bench
    said: list[str] = field(default_factory=list)
    stored: int = 0

    def __post_init__(self) -> None:
        self.context = PollContext(
            store=self.bench.store,
            recorder=self.bench.recorder,
            writes=self.bench.recorder,
            clock=self.bench.clock,
            stored=self._count,
            say=self.said.append,
        )

    def _count(self) -> None:
        self.stored += 1

    async def poll(self, steps: PollSteps) -> int:
        """One whole poll; returns how many steps it took."""
        began, count = self.bench.clock(), 1
        while await steps.step(began):
            count += 1
        return count

    def checkpoint(self, poller: str) -> Checkpoint:
        with self.bench.store.reading() as connection:
            return checkpoints.load(connection, poller)
