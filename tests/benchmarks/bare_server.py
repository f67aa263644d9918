"""The stack below us with nothing on it: uvicorn, httptools and uvloop answer a POST with a constant."""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn

_BODY = b'{"status":"stored","id":"114880000000000000"}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))],
}


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, answer."""
    while (await receive()).get("more_body", False):
        pass
    await send(_START)
    await send({"type": "http.response.body", "body": _BODY})


def serve(app: Any, listening: socket.socket) -> None:
    """Serve until a signal, on the stack that ours runs on."""
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
    )
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    serve(answer, socket.socket(fileno=int(sys.argv[1])))
