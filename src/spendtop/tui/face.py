"""What screens, widgets and dialogs know of the program that they are shown in."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from spendtop.domain.sight import Sight, Standing, StandingWord
from spendtop.tui.selection import TODAY

if TYPE_CHECKING:
    from rich.style import Style

    from spendtop.domain.breakdown.dimensions import Dimension
    from spendtop.domain.windows import Calendar
    from spendtop.store.engine import Store
    from spendtop.tui.glyphs import Glyphs
    from spendtop.tui.headline import ConfigStatus, Headline
    from spendtop.tui.palette import Palette
    from spendtop.tui.saved_views import SavedViews
    from spendtop.tui.selection import Selection, TimeChoice
    from spendtop.tui.session import AttachedCollector, Session


class StatusFacts(Struct, frozen=True):
    """What the status line knows besides the figures."""

    store: str
    collector: AttachedCollector | None
    asked: bool
    """Whether the collector was looked for already."""
    standing: Standing
    since: str
    """Since when it stands so, as people write it; empty where that is not known."""
    is_old: bool
    """Whether the figures may no longer be so."""
    clock: str
    differences: tuple[str, ...]
    read_only: bool
    past: str = ""
    """The instant that is shown, where it is one of before."""

    @property
    def nobody_records(self) -> bool:
        """Whether it is known that no collector runs."""
        return self.asked and self.collector is None

    @property
    def records(self) -> bool:
        """Whether what arrives is recorded, as far as it is known."""
        return self.standing.word is not StandingWord.NOT_RECORDING


class Pause(Struct):
    """The picture stands still from `since` (UTC µs) on; recording goes on."""

    since: int
    recorded: int
    """Requests in the store when it began."""
    behind: int = 0

    def count(self, recorded: int) -> None:
        """Take in how many there are now."""
        self.behind = max(recorded - self.recorded, 0)


class CommandLine(Protocol):
    """What can be typed after `:`."""

    def run(self, text: str) -> None:
        """Run one line; what is wrong with it is said on screen."""

    def complete(self, text: str, step: int) -> str:
        """The line with its last word completed as far as it is clear, or with the next word (1) or the one before
        (-1) that it can be."""

    def preview(self, text: str) -> None:
        """Show what the line would do, where that can be shown."""

    def end_preview(self) -> None:
        """As it was before."""

    def hint(self, text: str) -> Sequence[tuple[str, Style]]:
        """What could follow, or what the command does."""


class TimeTravel(Protocol):
    """Puts every screen at an instant of before."""

    @property
    def is_past(self) -> bool: ...
    def go(self, text: str) -> None:
        """To an instant as people type it. Raises UsageError."""

    def shift(self, by: int) -> None:
        """Back by so many µs, or forth when negative."""

    def back(self) -> None:
        """To now."""


class Face(Protocol):
    """The running program, as far as it is anybody's business but its own."""

    session: Session
    glyphs: Glyphs
    """The marks that the terminal can show."""
    store: Store | None
    """None until it is open."""
    headline: Headline | None
    """As last read, by whichever screen."""
    collector: AttachedCollector | None
    pause: Pause | None
    unreadable_since: int | None
    """Since when the store cannot be read, UTC µs."""
    lost_since: int | None
    """Since when the store that was opened is gone or was replaced, UTC µs."""
    pace_seconds: float
    """Time between two reads at least."""
    config_status: ConfigStatus

    @property
    def calendar(self) -> Calendar:
        """The one that the collector applies."""

    @property
    def saved_views(self) -> SavedViews:
        """What was typed and kept in earlier sessions."""

    @property
    def time_machine(self) -> TimeTravel:
        """The way into the past."""

    @property
    def history(self) -> Mapping[str, list[str]]:
        """What was typed into the prompt, by what it was for."""

    @property
    def palette(self) -> Palette:
        """The current theme's styles."""

    @property
    def commands(self) -> CommandLine:
        """The `:` line."""

    @property
    def webhook_url(self) -> str | None:
        """Where gateways reach us."""

    def status_facts(self) -> StatusFacts:
        """What the status line says besides the figures."""

    def count_behind(self, recorded: int) -> None:
        """Take in how many requests there are now, while the picture is paused."""

    def has_read(self, headline: Headline) -> None:
        """A read succeeded."""

    def cannot_read(self, failure: Exception) -> None:
        """A read failed; the header says so until one succeeds."""

    def send_to_terminal(self, sequence: str) -> None:
        """An escape sequence, as it is."""

    def open_screen(self, name: str) -> None: ...

    def open_request(self, request_id: int) -> None:
        """The request's detail on the screen of requests."""

    def open_filter(self) -> None:
        """The screen of requests, asking for a filter."""

    @property
    def listed(self) -> Selection:
        """What the screen of requests lists; all before it was opened."""

    def open_entities(self, of: Dimension, key: str | None = None, time: TimeChoice = TODAY) -> None:
        """The list of users, models (by family) or tokens in a window of time, with the cursor on a key."""

    def list_requests(self, text: str) -> None:
        """The screen of requests, with what a filter selects."""

    def open_row(self, screen: str, key: Hashable) -> None:
        """Another screen, with the cursor on a row where a key is given."""

    def raise_limit(self, key: Hashable) -> None:
        """The screen of limits, asking by how much the one of this row is raised."""


def sight_of(face: Face, asked: bool, left: int | None, upgraded: float | None) -> Sight:
    """What the program knows of recording and reading. `asked` says whether it was looked for a collector, `left` when
    one that is gone gave its last sign of life (UTC µs), `upgraded` how much of an upgrade is done."""
    collector = face.collector
    return Sight(
        asked=asked,
        collects=collector is not None,
        stopping=collector is not None and collector.state == "stopping",
        may_start=face.session.start_collector is not None,
        last_sign=collector.last_sign if collector else left,
        conditions=collector.conditions if collector else (),
        upgraded=upgraded,
        shown_at=face.headline.at if face.headline else None,
        lost_since=face.lost_since,
        unreadable_since=face.unreadable_since,
        paused_since=face.pause.since if face.pause else None,
    )
