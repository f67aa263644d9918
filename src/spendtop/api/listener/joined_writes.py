"""An answer's head and body in one piece: one call of the system, and a client that wakes once."""

from __future__ import annotations

import asyncio
from typing import Any


class JoinedWrites:
    """A transport that keeps one piece until the next one comes, or the loop's turn ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send it with what is kept, or keep it."""
        if self._kept:
            self._transport.writelines((self._kept, data))
            self._kept = b""
        else:
            self._kept = data
            self._loop.call_soon(self._send_kept)

    def close(self) -> None:
        """Close once all is sent."""
        self._send_kept()
        self._transport.close()

    def _send_kept(self) -> None:
        kept, self._kept = self._kept, b""
        if kept and not self.is_closing():
            self._transport.write(kept)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
