"""Connections to providers that stay open between the polls of one run: each new one costs a TLS handshake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    import httpx


class _Clients(Struct, eq=False):
    of: dict[object, httpx.AsyncClient] = field(default_factory=dict)
    """By who asks."""
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


_run: ContextVar[_Clients | None] = ContextVar("connections", default=None)


@asynccontextmanager
async def kept() -> AsyncIterator[None]:
    """What is asked within the block, also by tasks that begin there, goes on over the connections it opened; at its
    end they are closed."""
    kept = _Clients()
    token = _run.set(kept)
    try:
        async with kept.closing:
            yield
    finally:
        _run.reset(token)


@asynccontextmanager
async def client_of(asker: object, opened: Callable[[], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    """The asker's client in this run; outside of any a new one, closed at the end of the block."""
    kept = _run.get()
    if kept is None:
        async with opened() as client:
            yield client
        return
    if asker not in kept.of:
        kept.of[asker] = await kept.closing.enter_async_context(opened())
    yield kept.of[asker]
