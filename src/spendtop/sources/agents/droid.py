"""Droid's sessions: `~/.factory/sessions/**/<id>.settings.json`, which hold sums only.

As ccusage reads them. A session is one record that grows, marked as an aggregate: its calls cannot be told apart, and
splitting the sum would invent them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.json import Decoder

from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.usage.counts import count
from spendtop.sources.agents.bookmark import Bookmark, Tally
from spendtop.sources.agents.fields import instant, text
from spendtop.sources.agents.files import document, found, listed

_SUFFIX = ".settings.json"


class _DroidSettings(Struct, frozen=True, rename="camel"):
    model: Any = None
    token_usage: Any = None
    provider_lock_timestamp: Any = None


class DroidReader:
    name: ClassVar[str] = "droid"

    def __init__(self) -> None:
        self._document = Decoder(_DroidSettings)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        factory = Path(environment.get("FACTORY_DIR") or home / ".factory")
        return listed(environment, "DROID_SESSIONS_DIR", factory / "sessions")

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        return (each for each in found(root, tally) if each.name.endswith(_SUFFIX))

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        settings = document(file, self._document, bookmark, tally)
        if settings is None or not isinstance(settings.token_usage, dict):
            return
        counts = _counts(settings.token_usage)
        if not counts.is_used:
            return
        session = file.name.removesuffix(_SUFFIX)
        seen_at = instant(settings.provider_lock_timestamp) or bookmark.modified // 1000
        yield AgentCall(
            agent=self.name,
            key=session,
            occurred_at=seen_at,
            begun_at=seen_at,
            model=text(settings.model),
            counts=counts,
            session=session,
            properties={"aggregate": "1"},
        )


def _counts(usage: dict[str, Any]) -> Counts:
    output, thinking = count(usage.get("outputTokens")), count(usage.get("thinkingTokens"))
    return Counts(
        fresh=count(usage.get("inputTokens")),
        cache_read=count(usage.get("cacheReadTokens")),
        cache_write=count(usage.get("cacheCreationTokens")),
        output=None if output is None else output + (thinking or 0),
        reasoning=thinking,
    )
