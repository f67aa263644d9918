"""Records what the files of coding agents on this machine tell, with how far they are read in the same transaction."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from spendtop.collector.agents.stride import ALONE, BESIDE_OTHERS
from spendtop.collector.setup import CompanionContext
from spendtop.collector.supervisor import pause
from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.requests.request import Billing
from spendtop.domain.sources.records import AGENTS, Source
from spendtop.services.agents import billing as agent_billing
from spendtop.services.agents import files as agent_files
from spendtop.services.agents import plan_windows
from spendtop.services.agents import spool as agent_spool
from spendtop.services.agents.files import RootLook
from spendtop.sources.agents.bookmark import Bookmark
from spendtop.sources.agents.item import item_of, with_texts
from spendtop.sources.agents.requests import machine_of, request_of
from spendtop.sources.agents.scan import AgentRoot, FileRead, RootState, roots_of
from spendtop.sources.privacy import keeps_texts, own_secrets
from spendtop.sources.registry import READERS
from spendtop.sources.scan_process import DECODER, LENGTH_BYTES, ScanJob
from spendtop.sources.settings import AgentsSettings
from spendtop.store.transactions import read, write

_log = logging.getLogger(__name__)
_BUFFERED = 1 << 20
"""Bytes of what is read that wait here, twice that at most: behind it the process waits."""
_LOOK_EVERY = 2.0
"""Seconds between two looks at what is to be read."""
_ENDS_WITHIN = 2.0
_FIRST = asyncio.FIRST_COMPLETED
_COMMAND = (sys.executable, "-P", "-m", "spendtop.sources.scan_process")


class _Wanted(Struct, frozen=True):
    """What is to be read; another one begins anew."""

    roots: tuple[AgentRoot, ...]
    settings: AgentsSettings
    texts: bool
    """Whether what was said is kept."""
    rescans: int


class ReadingLoop:
    """Keeps a process that reads while there is something to read, and records what it says."""

    def __init__(
        self, context: CompanionContext, home: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """`home` and `environment` are the user's own unless others are given."""
        self._context = context
        self._home = home
        self._environment = os.environ if environment is None else environment
        self._host = socket.gethostname()
        self._readers = {name: reader() for name, reader in READERS.agents.items()}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            wanted = await self._wanted()
            if wanted.roots:
                await self._keep_reading(wanted, stop)
            await pause(stop, _LOOK_EVERY)

    async def _wanted(self) -> _Wanted:
        every = self._context.settings()
        settings, texts = every.section(AgentsSettings), keeps_texts(every)
        homes = settings.homes_by_agent(Path.home() if self._home is None else self._home)
        roots = await asyncio.to_thread(roots_of, self._readers, homes, self._environment)
        return _Wanted(tuple(roots), settings, texts, await read(self._context.store, agent_files.rescans))

    async def _keep_reading(self, wanted: _Wanted, stop: asyncio.Event) -> None:
        """Until the process ends, something else is to be read, or the stop event."""
        await self._reclassify(wanted.settings)
        job = await self._job(wanted)
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_BUFFERED,
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        try:
            async with asyncio.TaskGroup() as tasks:
                recording = tasks.create_task(self._record_all(process.stdout, wanted))
                while not (stop.is_set() or recording.done()) and await self._wanted() == wanted:
                    await asyncio.wait({recording, tasks.create_task(pause(stop, _LOOK_EVERY))}, return_when=_FIRST)
                recording.cancel()
        finally:
            process.stdin.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _ENDS_WITHIN)
            if process.returncode is None:
                process.kill()

    async def _reclassify(self, settings: AgentsSettings) -> None:
        """Have what is recorded paid as the configuration says now, where it said otherwise before."""
        said = {name: Billing(settings.of(name).billing) for name in self._readers}
        before = await read(self._context.store, lambda connection: agent_billing.said_before(connection, self._host))
        changed = [agent for agent in AGENTS if before.get(agent.name, said[agent.name]) is not said[agent.name]]
        for agent in changed:
            await self._pay(agent, said[agent.name])
        if changed and settings.push_to:
            await write(self._context.recorder, lambda connection: agent_files.forget(connection, self._host))
        if before != said:
            await write(
                self._context.recorder,
                lambda connection: agent_billing.note_said(connection, self._host, said),
            )

    async def _pay(self, agent: Source, said: Billing) -> None:
        recorder, now = self._context.recorder, self._context.clock()
        after: int | None = 0
        while after is not None:
            page = partial(
                agent_billing.reclassify,
                recording=recorder.recording,
                agent=agent,
                host=self._host,
                said=said,
                after=after,
                now=now,
            )
            after = await write(recorder, page)

    async def _job(self, wanted: _Wanted) -> ScanJob:
        kept = await read(self._context.store, lambda connection: agent_files.bookmarks(connection, self._host))
        decoder = msgspec.json.Decoder(Bookmark)
        bookmarks = await asyncio.to_thread(lambda: {path: decoder.decode(each) for path, each in kept.items()})
        return ScanJob(list(wanted.roots), bookmarks, wanted.texts)

    async def _record_all(self, told: asyncio.StreamReader, wanted: _Wanted) -> None:
        """All that the process says; it waits where we do not get on."""
        async for piece in _pieces(told):
            news = DECODER.decode(piece)
            await self._record_in_parts(news.reads, wanted)
            for state in news.states or ():
                await self._note(state)
        _log.warning("the process that reads coding agents' files ended by itself; it is started again")

    async def _record_in_parts(self, reads: Sequence[FileRead], wanted: _Wanted) -> None:
        while reads:
            stride, began = ALONE if self._context.recorder.is_quiet else BESIDE_OTHERS, time.monotonic()
            part = stride.part(reads)
            await self._record(part, wanted)
            reads = reads[len(part) :]
            await asyncio.sleep(stride.rest(time.monotonic() - began))

    async def _record(self, parts: Sequence[FileRead], wanted: _Wanted) -> None:
        """Record calls, and how far their files are read with them, in one transaction."""
        recorder, now, settings = self._context.recorder, self._context.clock(), self._context.settings()
        kept_since = now - settings.retention.requests
        made = [
            (call, machine_of(part.root.folder), part.root, Billing(wanted.settings.of(part.root.agent).billing))
            for part in parts
            for call in part.calls
            if call.occurred_at >= kept_since
        ]
        requests = [request_of(call, machine, billing, now) for call, machine, _, billing in made]
        ready = await asyncio.to_thread(recorder.prepare, requests)
        pushed = made if wanted.settings.push_to else []
        redact = Redactor(own_secrets(settings)).redact
        items = [
            msgspec.json.encode(with_texts(item_of(call, machine, root.folder, how), call, redact))
            for call, machine, root, how in pushed
        ]

        def work(connection: Connection) -> None:
            recorder.record_prepared(connection, ready)
            for part in parts:
                if part.bookmark is not None:
                    bookmark = msgspec.json.encode(part.bookmark).decode()
                    agent_files.note_file(connection, self._host, part.root.agent, part.path, bookmark)
            if items:
                agent_spool.append(connection, self._host, items)

        await write(recorder, work)

    async def _note(self, state: RootState) -> None:
        look = RootLook(
            agent=state.root.agent,
            root=state.root.folder,
            files=state.files,
            waiting=state.waiting,
            size=state.size,
            oldest=state.oldest,
            left_out=state.left_out,
            looked_at=self._context.clock(),
        )

        def work(connection: Connection) -> None:
            agent_files.note_root(connection, self._host, look, state.missed)
            if state.windows:
                plan_windows.note(connection, self._host, state.windows)

        await write(self._context.recorder, work)


async def _pieces(told: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What the process says, piece by piece, until it ends."""
    with suppress(asyncio.IncompleteReadError):
        while True:
            length = int.from_bytes(await told.readexactly(LENGTH_BYTES), "big")
            yield await told.readexactly(length)
