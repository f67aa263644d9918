"""Amp's threads: `~/.local/share/amp/threads/T-*.json`, each rewritten whole.

As ccusage reads them: a ledger of usage where there is one, with the caches of the message that it belongs to; else the
messages' own usage. Credits are no dollars.
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


class _AmpMessage(Struct, frozen=True, rename="camel"):
    message_id: Any = None
    usage: Any = None


class _AmpThread(Struct, frozen=True, rename="camel"):
    id: Any = None
    created: Any = None
    messages: list[_AmpMessage] = []
    usage_ledger: Any = None


class AmpReader:
    name: ClassVar[str] = "amp"

    def __init__(self) -> None:
        self._document = Decoder(_AmpThread)

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
        return listed(environment, "AMP_DATA_DIR", data / "amp")

    def files(self, root: Path, tally: Tally) -> Iterator[Path]:
        return (each for each in found(root / "threads", tally) if each.match("T-*.json"))

    def calls(self, file: Path, root: Path, bookmark: Bookmark, tally: Tally) -> Iterator[AgentCall]:
        thread = document(file, self._document, bookmark, tally)
        if thread is None:
            return
        name = text(thread.id) or file.stem
        usages = {each.message_id: each.usage for each in thread.messages if isinstance(each.usage, dict)}
        ledger = thread.usage_ledger.get("events") if isinstance(thread.usage_ledger, dict) else None
        events = [each for each in ledger if isinstance(each, dict)] if isinstance(ledger, list) else []
        if not events:
            told = ((message, usage, _counts(usage, {})) for message, usage in usages.items())
        else:
            told = ((_name_of(each), each, _counts(usages.get(_message_of(each), {}), each)) for each in events)
        for key, usage, counts in told:
            call = _call_of(name, key, usage, counts, thread.created)
            if call is not None:
                yield call


def _message_of(event: dict[str, Any]) -> Any:
    message = event.get("toMessageId")
    return message if isinstance(message, int | str) else None


def _name_of(event: dict[str, Any]) -> Any:
    message = _message_of(event)
    return event.get("id") if message is None else message


def _call_of(thread: str, name: Any, usage: dict[str, Any], counts: Counts, created: Any) -> AgentCall | None:
    occurred_at = instant(usage.get("timestamp")) or instant(created)
    if occurred_at is None or not isinstance(name, int | str) or not counts.is_used:
        return None
    return AgentCall(
        agent=AmpReader.name,
        key=f"{thread}:{name}",
        occurred_at=occurred_at,
        begun_at=occurred_at,
        model=text(usage.get("model")),
        counts=counts,
        session=thread,
    )


def _counts(usage: dict[str, Any], event: dict[str, Any]) -> Counts:
    """Of a message's usage, where the ledger's figures stand before its own."""
    tokens = event.get("tokens")
    tokens = tokens if isinstance(tokens, dict) else {}
    given, output = count(tokens.get("input")), count(tokens.get("output"))
    return Counts(
        fresh=count(usage.get("inputTokens")) if given is None else given,
        cache_read=count(usage.get("cacheReadInputTokens")),
        cache_write=count(usage.get("cacheCreationInputTokens")),
        output=count(usage.get("outputTokens")) if output is None else output,
    )
