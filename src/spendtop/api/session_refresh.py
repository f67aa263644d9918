"""Asking Helicone for a session before its costs are told, as its requests may not all be here yet.

Helicone shows a request seconds after it ended, so that a session is complete once it was asked for well after its last
request.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from spendtop.api.context import Context
from spendtop.domain.clock import SECOND
from spendtop.domain.sources.records import HELICONE_API
from spendtop.services import checkpoints, tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.sessions.sessions import extent_of
from spendtop.store.transactions import read, write

SETTLED_AFTER = 90 * SECOND
"""µs after its last request when Helicone has all of a session."""
ASKED_AGAIN_AFTER = 30 * SECOND
_LONGEST = 10.0
"""Seconds for which an answer is waited for."""
_LONGEST_FOR_BODIES = 60.0
_LOOK = 0.05
_NOT_ASKED = "Helicone's API is not asked: there is no api_key under [helicone]."


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether all requests of a session are here; None where nobody can be asked."""

    complete: bool | None
    note: str | None = None
    """Why it is not known to be complete, as a sentence."""


@dataclass(frozen=True, slots=True)
class _Standing:
    last_at: int | None
    """Of the session's requests; UTC µs as all instants here."""
    read_until: int
    """Up to when polls have read everything."""
    asked: Task | None
    """The last question for this session."""
    can_be_asked: bool

    @property
    def is_complete(self) -> bool:
        if self.last_at is None:
            return False
        answered = self.asked.created_at if self.asked is not None and self.asked.state is TaskState.DONE else 0
        return max(self.read_until, answered) > self.last_at + SETTLED_AFTER


async def completeness(context: Context, session: str) -> Completeness:
    """How complete a session is, by what was asked before."""
    return _judged(await _standing(context, session), context.clock())


async def refreshed(context: Context, session: str) -> Completeness:
    """How complete a session is, after asking Helicone where that may bring more."""
    standing = await _standing(context, session)
    if standing.is_complete or not standing.can_be_asked:
        return _judged(standing, context.clock())
    task = await _outcome(context, TaskKind.FETCH_SESSION, session, _LONGEST)
    if task is None or not task.finished:
        return Completeness(False, f"Helicone has not answered within {_LONGEST:g} s: this is what is stored.")
    if task.state is not TaskState.DONE:
        return Completeness(False, f"This is what is stored, as Helicone could not be asked. {task.result}")
    return _judged(await _standing(context, session), context.clock())


async def bodies_fetched(context: Context, session: str) -> str:
    """What came of asking Helicone for the prompts and responses of a session, as a sentence."""
    if not (await _standing(context, session)).can_be_asked:
        return _NOT_ASKED
    task = await _outcome(context, TaskKind.FETCH_BODIES, session, _LONGEST_FOR_BODIES)
    if task is None or not task.finished:
        so_far = "" if task is None or task.progress is None else f" ({task.progress})"
        return f"Prompts and responses are still being fetched{so_far}: ask again for the others."
    return task.result or ""


async def _outcome(context: Context, kind: TaskKind, session: str, seconds: float) -> Task | None:
    """The question for a session as it stands once it is answered, or after so many seconds; None where it could not
    even be asked by then."""
    task: Task | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            ask = partial(_asked, kind=kind, session=session, now=context.clock())
            task = await write(context.recorder, ask)
            while task is not None and not task.finished:
                await asyncio.sleep(_LOOK)
                task = await read(context.store, partial(tasks.look, task_id=task.id))
    return task


def _asked(connection: Connection, kind: TaskKind, session: str, now: int) -> Task | None:
    """A new question, unless one is under way or was answered just now."""
    arguments: dict[str, object] = {"session": session}
    before = tasks.newest(connection, kind, arguments)
    if before is not None and (not before.finished or now - before.updated_at < ASKED_AGAIN_AFTER):
        return before
    return tasks.look(connection, tasks.ask(connection, kind, arguments, now))


async def _standing(context: Context, session: str) -> _Standing:
    return await read(context.store, partial(_read_standing, session=session))


def _read_standing(connection: Connection, session: str) -> _Standing:
    extent, in_force = extent_of(connection, session), applied(connection)
    return _Standing(
        last_at=None if extent is None or extent.until is None else extent.until - 1,
        read_until=checkpoints.load(connection, HELICONE_API.name).complete_until or 0,
        asked=tasks.newest(connection, TaskKind.FETCH_SESSION, {"session": session}),
        can_be_asked=in_force is not None and in_force.asks_helicone,
    )


def _judged(standing: _Standing, now: int) -> Completeness:
    if not standing.can_be_asked:
        return Completeness(None, _NOT_ASKED)
    if standing.is_complete:
        return Completeness(True)
    if standing.last_at is not None and now - standing.last_at < SETTLED_AFTER:
        age = max(now - standing.last_at, 0) // SECOND
        return Completeness(False, f"Its last request is {age} s old: Helicone may show more of them in a minute.")
    return Completeness(False, "Helicone was not asked for it since its last request.")
