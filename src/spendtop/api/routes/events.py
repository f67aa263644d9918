"""What happens, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError

from spendtop.api.answers import Message, Receive, Scope, Send, busy, send_answer
from spendtop.api.feed import Feed
from spendtop.api.query import InvalidField
from spendtop.api.routes import context_of, guards_of, http_of
from spendtop.domain.errors import UsageError
from spendtop.store.reads.alerts.attention import AlertRow
from spendtop.store.reads.change_feed import Position

HEARTBEAT_SECONDS = 15.0
_READ_SECONDS = 0.25
"""Between two reads of one follower."""
_FAREWELL_SECONDS = 1.0
_RETRY_MILLISECONDS = 2_000
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": ["request", "alert"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
"""One event, for the description."""
_log = logging.getLogger(__name__)


def router() -> APIRouter:
    routes = APIRouter(tags=["events"])
    stream = {"description": "Events `request` and `alert`.", "content": {EventStream.media_type: {"schema": _EVENT}}}
    routes.add_api_route("/events", events, methods=["GET"], response_class=Response, responses={200: stream})
    return routes


class EventStream(Response):
    """Sends what happens after a position until the client goes, may no longer hear it, or `stopping` is set."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, position: Position, stopping: asyncio.Event, may_hear: Callable[[], bool]) -> None:
        """`may_hear` says before anything is sent whether the client still may: a key is changed while streams last."""
        super().__init__()
        del self.headers["content-length"]
        self.headers["x-accel-buffering"] = "no"
        self._feed = feed
        self._position = position
        self._stopping = stopping
        self._may_hear = may_hear

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._feed.is_full:
            message = f"{self._feed.most_followers} follow already. Try again later."
            await send_answer(send, busy("too_many_followers", message))
            return
        with self._feed.following():  # with nothing awaited before it, so that no more than may get in
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with asyncio.TaskGroup() as tasks:
                work = [
                    tasks.create_task(self._send_events(send)),
                    tasks.create_task(_left(receive)),
                    tasks.create_task(self._stopping.wait()),
                ]
                await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
                for task in work:
                    task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await send(_body(b"", more=False))

    async def _send_events(self, send: Send) -> None:
        try:
            async for text in self._texts():
                if not self._may_hear():
                    return
                await send(_body(text, more=True))
        except SQLAlchemyError as failure:  # the client comes again, and is told then
            _log.warning("events could not be read: %s", type(failure).__name__)

    async def _texts(self) -> AsyncIterator[bytes]:
        position, sent = self._position, dict[int, AlertRow]()
        yield f"retry: {_RETRY_MILLISECONDS}\nid: {position}\n\n".encode()
        while True:
            changes = self._feed.changes
            news = await self._feed.after(position)
            for event in news.events:
                if event.alert is None or sent.get(event.alert.id) != event.alert:
                    yield event.text
                if event.alert is not None:
                    sent[event.alert.id] = event.alert
            position = news.position
            if news.more:
                continue
            await asyncio.sleep(_READ_SECONDS)
            if not await self._feed.changed(changes, HEARTBEAT_SECONDS):
                yield b": nothing new\n\n"


async def events(
    request: Request,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=2_000)] = None,
) -> Response:
    """New and changed requests (`request`, as in /requests) and alerts (`alert`, as in /alerts) from now on.

    With the id of the event that was read last, from behind it on. An event can come more than once.
    """
    feed: Feed = request.state.feed
    try:
        position = Position.read(last_event_id) if last_event_id else await feed.end()
    except UsageError:
        raise InvalidField("Last-Event-ID", "is no id of an event") from None
    guards, http = guards_of(request), http_of(request)
    return EventStream(feed, position, context_of(request).stopping, lambda: guards.why_no_page(http) is None)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(text: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more}
