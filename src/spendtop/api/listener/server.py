"""The listening socket and the server on it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Collection, Iterator

import uvicorn

from spendtop.api.answers import App
from spendtop.api.listener.connections import Allowance
from spendtop.api.listener.entrance import Entrance
from spendtop.api.listener.protocol import GuardedProtocol, ListenerConfig
from spendtop.domain.errors import NoPermission, PortBusy, UsageError
from spendtop.services.stores.descriptors import descriptors

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


async def serve(
    app: App,
    listening: socket.socket,
    stop: asyncio.Event,
    allowance: Allowance | None = None,
    favoured: Collection[str] = (),
) -> None:
    """Answer until `stop` is set; what is being answered then has `allowance.after_stop`. Closes the socket.

    Requests of the `favoured` paths are answered however many others are.
    """
    if allowance is None:
        shares = descriptors()
        allowance = Allowance(connections=shares.connections, reserved=shares.reserved)
    await _Server(ListenerConfig(app, allowance, favoured), listening, stop).serve(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's server with an entrance of ours, ended by an event; signals belong to the process around it."""

    def __init__(self, config: ListenerConfig, listening: socket.socket, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._listener = config
        self._table = config.table
        self._listening = listening
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        self.servers = []
        self.started = True

    async def main_loop(self) -> None:
        counter = 0
        async with asyncio.TaskGroup() as tasks:
            entrance = Entrance(self._listening, self._table.make_room, self._connection, tasks)
            while not self._stop.is_set():
                entrance.open()
                await self.on_tick(counter)
                counter += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_TICK_SECONDS):
                        await self._stop.wait()
            entrance.close()

    async def on_tick(self, counter: int) -> bool:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, GuardedProtocol):
                connection.look_at_clock(now)
        self._table.tell_refused(now)
        return await super().on_tick(counter)

    def _connection(self) -> asyncio.Protocol:
        return GuardedProtocol(self._listener, self.server_state, self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind_error(failure: OSError, host: str, port: int) -> PortBusy | NoPermission | UsageError:
    if failure.errno == errno.EADDRINUSE:
        return PortBusy(f"Port {port} on {host} is in use. Choose another with --port, or stop what holds it.")
    if failure.errno in (errno.EACCES, errno.EPERM):
        return NoPermission(f"Listening on port {port} needs more rights. Choose a port above 1023 with --port.")
    return UsageError(f"Cannot listen on {host} port {port}. Set host under [server] to an address of this machine.")
