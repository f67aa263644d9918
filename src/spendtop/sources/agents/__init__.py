"""The files in which coding agents on this machine keep their calls: none of their formats is a promise of its maker.

What a reader does not know it leaves out and counts; it never fails for what a file holds, and keeps no text of a
conversation unless that is wanted. Files that hold credentials are never opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from spendtop.domain.agents.calls import AgentCall
from spendtop.domain.agents.plan_windows import PlanWindow
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.talk import Talks


@runtime_checkable
class WindowTeller(Protocol):
    """What reads files that hold what the provider says of its plan's windows."""

    @property
    def windows(self) -> list[PlanWindow]:
        """What was told last, as far as files were read."""


@runtime_checkable
class TextTeller(Protocol):
    """What can read what was said, too."""

    talks: Talks | None
    """None, as it is at first, has all texts left unread."""


class AgentReader(Protocol):
    """What reads the files of one agent."""

    name: ClassVar[str]
    """As the source of its requests is called."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        """The folders in which the agent keeps its files, there or not, for a user with this home and environment."""

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        """Its files that may hold calls, in no order; none is opened."""

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        """What is new in a file since `bookmark`, which moves along; a call may come several times and grow.

        Raises OSError for a file that cannot be read.
        """
