"""The listening socket: who finds no room waits outside, in the system's queue, and is not sent away."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

_MOST_AT_ONCE = 64
"""Connections that are taken before others' bytes are read again."""
_NONE_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = logging.getLogger(__name__)


class Entrance:
    """Takes connections while there is room. Used in the running loop only."""

    def __init__(
        self,
        listening: socket.socket,
        make_room: Callable[[float, int], bool],
        connection: Callable[[], asyncio.Protocol],
        tasks: asyncio.TaskGroup,
    ) -> None:
        """`connection` makes what serves one; `make_room` says whether there is room for it at a loop time, while so
        many others are about to enter."""
        self._listening = listening
        self._make_room = make_room
        self._connection = connection
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._is_open = False
        self._coming = 0

    def open(self) -> None:
        """Take connections, also those that wait already. Repeated, it looks again whether there is room."""
        if not self._is_open:
            self._is_open = True
            self._loop.add_reader(self._listening, self._take)

    def close(self) -> None:
        """Take no more; who comes waits outside."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listening)

    def _take(self) -> None:
        now = self._loop.time()
        for _ in range(_MOST_AT_ONCE):
            if not self._make_room(now, self._coming):
                self.close()
                return
            try:
                taken, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # it was gone before it was taken
                continue
            except OSError as failure:
                if failure.errno not in _NONE_LEFT:
                    raise
                self.close()
                return
            taken.setblocking(False)
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._coming += 1
            self._tasks.create_task(self._enter(taken))

    async def _enter(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._connection, taken)
        except Exception:  # of one connection, which is no reason to end the others
            _log.exception("a connection did not come about")
            taken.close()
        finally:
            self._coming -= 1
