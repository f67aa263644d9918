"""`spendtop agents push`: sends all that coding agents keep here to another collector, once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Raw

from spendtop.cli.interruption import interruptible
from spendtop.cli.meter import metered
from spendtop.cli.options import Options, load_settings
from spendtop.cli.tables import say
from spendtop.collector.agents.poster import AgentPoster, PostFailed, Taken, posting
from spendtop.config.settings import Settings
from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.counted import counted
from spendtop.domain.errors import CannotWrite, ConfigError, ExitCode, UsageError
from spendtop.domain.requests.request import Billing
from spendtop.domain.untrusted import clean_line
from spendtop.sources.agents.item import item_of, with_texts
from spendtop.sources.agents.requests import machine_of
from spendtop.sources.agents.scan import Scan, readers_of, roots_of
from spendtop.sources.privacy import keeps_texts, own_secrets
from spendtop.sources.registry import READERS
from spendtop.sources.settings import AgentsSettings, push_address

_AT_ONCE, _MOST_BYTES = 1000, 4 << 20
"""What goes into one post."""
_TRIES = 5
"""Of one post, where the other side may be busy for a moment."""
_LONGEST_WAIT = 60.0


def run(options: Options) -> int:
    every = load_settings(options).settings
    settings = every.section(AgentsSettings)
    url = _address(options.arguments.url or settings.push_to)
    key = settings.push_key.get_secret_value()
    if not key:
        raise ConfigError(
            "There is no key to push with. Set push_key under [agents], or SPENDTOP_AGENTS__PUSH_KEY, to an ingest key"
            " of the collector there."
        )
    what = f"Pushing to {clean_line(url)}"
    with interruptible(what, "What was taken counts once, also when it is pushed again."), metered(what) as tell:
        taken = asyncio.run(_push(every, url, key, tell))
    say(f"{clean_line(url)}: {counted(taken.new, 'call')} new there, {taken.known:,} known before.")
    if taken.refused:
        raise CannotWrite(f"Refused there: {counted(taken.refused, 'call')}; its Sources screen says why.")
    return ExitCode.OK


def _address(url: str) -> str:
    try:
        address = push_address(url)
    except ValueError as wrong:
        raise UsageError(f"{clean_line(url)} cannot be pushed to: it {wrong}.") from None
    if not address:
        raise UsageError("Name the address of a collector, such as https://spend.example.org.")
    return address


async def _push(settings: Settings, url: str, key: str, tell: Callable[[float], None]) -> Taken:
    taken, items = Taken(), _items(settings, tell)
    async with posting(url, key) as poster:
        while part := await asyncio.to_thread(lambda: list(_together(items))):
            taken += await _posted(poster, part)
    return taken


async def _posted(poster: AgentPoster, items: list[Raw]) -> Taken:
    for attempt in range(1, _TRIES):
        try:
            return await poster.post(items)
        except PostFailed as failure:
            if not failure.is_passing:
                raise
            await asyncio.sleep(min(failure.wait or 2.0**attempt, _LONGEST_WAIT))
    return await poster.post(items)


def _together(items: Iterator[Raw]) -> Iterator[Raw]:
    """The next calls, as many as are posted at once."""
    size = 0
    for item in islice(items, _AT_ONCE):
        yield item
        size += len(bytes(item))
        if size >= _MOST_BYTES:
            return


def _items(every: Settings, tell: Callable[[float], None]) -> Iterator[Raw]:
    """All calls of all files, the newest file first; tells which share of them is read."""
    settings, redact = every.section(AgentsSettings), Redactor(own_secrets(every)).redact
    readers = readers_of(READERS.agents, texts=keeps_texts(every))
    roots = roots_of(readers, settings.homes_by_agent(Path.home()), os.environ)
    scan = Scan(readers, roots, {})
    changed = scan.changed()
    for number, file in enumerate(changed):
        tell(number / len(changed))
        machine, billing = machine_of(file.root.folder), Billing(settings.of(file.root.agent).billing)
        for part in scan.read(file):
            for call in part.calls:
                item = with_texts(item_of(call, machine, file.root.folder, billing), call, redact)
                yield Raw(msgspec.json.encode(item))
