"""What the listener answers while the store is being upgraded."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from spendtop import __version__
from spendtop.api.answers import HttpAnswer, Receive, Scope, Send, busy, send_answer
from spendtop.domain.clock import Clock, to_iso

PONG = HttpAnswer(200, b"pong", content_type=b"text/plain; charset=utf-8")


class UpgradeListener:
    """Alive, but down: nothing can be recorded or read yet. `share` is how much of the upgrade is done, from 0 to 1."""

    def __init__(self, share: Callable[[], float], clock: Clock) -> None:
        self._share = share
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served")
        answers = {"/ping": lambda: PONG, "/health": self._health}
        await send_answer(send, answers.get(scope["path"], self._unavailable)())

    def _health(self) -> HttpAnswer:
        content = {
            "status": "down",
            "timestamp": to_iso(self._clock()),
            "version": __version__,
            "upgraded_percent": int(self._share() * 100),
        }
        return HttpAnswer(503, msgspec.json.encode(content), ((b"retry-after", b"5"),))

    def _unavailable(self) -> HttpAnswer:
        return busy(
            "store_upgrading", f"The store is being upgraded: {int(self._share() * 100)} % is done. Send again."
        )
