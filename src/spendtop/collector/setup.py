"""What a collector is started with, and what the loops of others that run inside it are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from spendtop.collector.supervisor import Loop
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock
from spendtop.domain.errors import ExitCode
from spendtop.services.recording.recorder import Recorder
from spendtop.services.stores.known_stores import KnownStores
from spendtop.store.engine import Store


class CompanionContext(Struct, frozen=True):
    """What a companion loop works with."""

    store: Store
    recorder: Recorder
    url: str
    """Where the listener answers."""
    clock: Clock
    settings: Callable[[], Settings]
    say: Callable[[str], None]
    """Tells a person who looks on a sentence."""


class Setup(Struct, frozen=True, kw_only=True):
    loaded: Loaded
    reload: Callable[[], Loaded]
    """Reads the configuration again. Raises ConfigError."""
    clock: Clock
    prints: bool
    """Whether it prints a line per request and alert: the headless face."""
    as_json: bool = False
    started_by: str = "service"
    ready_descriptor: int | None = None
    """A pipe to the parent that gets one JSON line: ready, or why not."""
    leash_descriptor: int | None = None
    """A pipe from the parent: when it closes, the collector ends."""
    ended: Callable[[ExitCode], None] = lambda code: None
    """Called once all is stored, before threads that are left are waited for."""
    known_stores: KnownStores | None = None
    """What the store is looked up in, and remembered; None for a store that is thrown away."""
    begins_anew: bool = False
    """Whether the store may be another one than before, or none."""
    companions: Mapping[str, Callable[[CompanionContext], Loop]] = field(default_factory=dict)
    """Further loops that run inside, by name."""
