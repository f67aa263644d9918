"""What the rooms of a collector work with: a store, its writer and a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from spendtop.collector.active_config import ActiveConfig
from spendtop.config.load import Loaded, load
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Parsed, Request, TimeSource
from spendtop.domain.sources.records import HELICONE
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from tests.conftest import SettableClock
from tests.waiting import DEADLINE, eventually

SECRET = "a-webhook-secret-0123456789"
BASE = f'[helicone]\nwebhook_secrets = ["{SECRET}"]\n[time]\nzone = "UTC"\n'


@dataclass
class Bench:
    """A writer on a store, and a configuration file to change."""

    store: Store
    clock: SettableClock
    file: Path
    recorded: list[Callable[[], None]] = field(default_factory=list)
    """What is called after each recording, in the writer's thread."""
    outcomes: list[Outcome] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def configure(self, text: str = "") -> None:
        """Write the configuration file."""
        self.file.write_text(BASE + text)

    def load(self) -> Loaded:
        """Read the configuration file."""
        return load(self.file, sections=SECTIONS, environ={})

    def start(self) -> None:
        """Start the writer with what the file says."""
        self.active = ActiveConfig(self.load(), self.clock)
        self.recorder = Recorder(self.store, self.active.preparer, self.active.book, on_recorded=self._on_recorded)
        self.recorder.start()

    def request(self, cost: float | None = 0.1, **fields: Any) -> Request:
        """A request that happens now."""
        values: dict[str, Any] = {
            "source": HELICONE,
            "external_id": f"request-{next(self._numbers)}",
            "received_at": self.clock(),
            "occurred_at": self.clock(),
            "time_source": TimeSource.RECEIVED,
            "model": "gpt-4o",
            "user_id": "ann",
            "cost": Cost(reported=None if cost is None else Usd.of(str(cost))),
        }
        return Request(**{**values, **fields})

    def record(self, *events: Parsed) -> Sequence[Outcome]:
        """Record events and wait for the commit."""
        told: Future[Sequence[Outcome] | Exception] = Future()
        self.recorder.submit(events, told.set_result)
        outcomes = told.result(10)
        assert not isinstance(outcomes, Exception), outcomes
        return outcomes

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the store holds."""
        with self.store.reading() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    def _on_recorded(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes
        for call in self.recorded:
            call()


@pytest.fixture
def postgres_store(postgres_store: Store, postgres_url: str) -> Store:
    """An empty store on PostgreSQL that no collector holds."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        eventually(lambda: are_slots_free(connection))
    return postgres_store


def are_slots_free(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has noticed that earlier collectors are gone."""
    return connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").fetchone() is None


def bench_on(store: Store, clock: SettableClock, folder: Path) -> Bench:
    """A bench with the least configuration."""
    file = folder / "spendtop.toml"
    file.touch(mode=0o600)
    made = Bench(store, clock, file)
    made.configure()
    return made


@pytest.fixture
def bench(sqlite_store: Store, clock: SettableClock, tmp_path: Path) -> Iterator[Bench]:
    """A bench whose writer the test starts. What the collector's rooms do is mostly the same on both databases."""
    made = bench_on(sqlite_store, clock, tmp_path)
    yield made
    if hasattr(made, "recorder"):
        made.recorder.stop(DEADLINE)
