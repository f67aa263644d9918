"""The listening socket and the server on it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn

from spendtop.api.answers import App
from spendtop.api.protocol import Allowance, GuardedProtocol, ListenerConfig
from spendtop.domain.errors import NoPermission, PortBusy, UsageError

_BACKLOG = 1024
_TICK_SECONDS = 0.1


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. It takes connections from now on, and `serve` answers them.

    Raises PortBusy, NoPermission for a port that needs rights, and UsageError for a host that is not this machine's.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise UsageError(
            f"The host {host} cannot be resolved. Set host under [server] to an address of ours."
        ) from None
    family, _, _, _, address = min(addresses, key=lambda each: each[0] != socket.AF_INET)
    # With its protocol named, as asyncio only then sends an answer's head and body without delay.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as failure:
        listening.close()
        raise _bind_error(failure, host, port) from None
    return listening


async def serve(app: App, listening: socket.socket, stop: asyncio.Event, allowance: Allowance | None = None) -> None:
    """Answer until `stop` is set; what is being answered then has `allowance.after_stop`. Closes the socket."""
    await _Server(ListenerConfig(app, allowance or Allowance()), stop).serve(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's server, ended by an event; signals belong to the process around it."""

    def __init__(self, config: ListenerConfig, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def main_loop(self) -> None:
        counter = 0
        while not self._stop.is_set():
            await self.on_tick(counter)
            counter += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stop.wait()

    async def on_tick(self, counter: int) -> bool:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, GuardedProtocol):
                connection.look_at_clock(now)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind_error(failure: OSError, host: str, port: int) -> PortBusy | NoPermission | UsageError:
    if failure.errno == errno.EADDRINUSE:
        return PortBusy(f"Port {port} on {host} is in use. Choose another with --port, or stop what holds it.")
    if failure.errno in (errno.EACCES, errno.EPERM):
        return NoPermission(f"Listening on port {port} needs more rights. Choose a port above 1023 with --port.")
    return UsageError(f"Cannot listen on {host} port {port}. Set host under [server] to an address of this machine.")
