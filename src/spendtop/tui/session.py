"""What a terminal face knows of the world it runs in. All that is slow is a callable, called off the face's loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from spendtop.domain.clock import Clock
from spendtop.domain.windows import Calendar

if TYPE_CHECKING:
    from spendtop.config.types import Section
    from spendtop.domain.condition import Condition
    from spendtop.store.engine import Store
    from spendtop.store.reads.configuration.applied import Applied


class AttachedCollector(Struct, frozen=True):
    """The collector that holds the store, as seen from here."""

    pid: int
    state: str
    """starting, ready or stopping."""
    url: str | None
    """Where it listens."""
    started_here: bool
    """This viewer started it, so that leaving may stop it."""
    other_viewers: tuple[str, ...] = ()
    """Names of who else watches, cleaned."""
    conditions: tuple[Condition, ...] = ()
    """What is amiss with it, the worst first."""
    last_sign: int | None = None
    """Its last sign of life, UTC µs, where none came for too long."""


class Session(Struct, frozen=True, kw_only=True):
    """One terminal face: its store, its collector and how it should look."""

    connect: Callable[[Callable[[float], object]], Store]
    """Opens the store once a collector is ready, and tells how much of its upgrade is done (0 to 1) while one goes on.
    Runs in a thread, after the first picture is painted.

    Raises SpendtopError: its text and exit code end the program.
    """
    clock: Clock
    collector: Callable[[], AttachedCollector | None]
    """Who holds the store now; None: nobody, nothing is recorded."""
    stop_collector: Callable[[], None]
    """Stops the collector that this viewer started. Runs in a thread."""
    start_collector: Callable[[], None] | None = None
    """Starts one, and returns once it records. Runs in a thread; None where this viewer may not.

    Raises SpendtopError, which says why none could be started.
    """
    last_sign: Callable[[], int | None] = lambda: None
    """When a collector of this store gave its last sign of life, UTC µs. Runs in a thread."""
    store_name: str
    config_file: Path | None = None
    """The `spendtop.toml` that the configuration here comes from."""
    sections: Mapping[str, type[Section]] = field(default_factory=dict)
    """What sources add to the configuration, so that it can be checked."""
    webhook_url: str | None = None
    """Where gateways reach us, when it is known better than from the collector's address."""
    read_only: bool = False
    demo: bool = False
    config_differences: Callable[[Applied], tuple[str, ...]] = lambda applied: ()
    """Parts in which the local configuration differs from what the collector applied."""
    calendar: Calendar = field(default_factory=Calendar)
    """Until a collector has said which one it applies."""
    theme: str = "spendtop-dark"
    keymap: Mapping[str, str] = field(default_factory=dict)
    bell: bool = False
    """Whether the terminal rings when an alert begins."""
    title: bool = False
    """Whether the terminal's window is named after the spend."""
    theme_folders: tuple[Path, ...] = ()
    """The user's own themes."""
    ascii: bool = False
    slow: bool = False
    mouse: bool = True
    views: Path | None = None
    """Where filters and views are remembered; None remembers them until the end."""
    folder: Path = field(default_factory=Path.cwd)
    """Where files are written that are named without a folder."""
