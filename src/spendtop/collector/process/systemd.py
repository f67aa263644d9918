"""Getting on with the process that started us: its descriptors, systemd's notify socket, the ready line to a viewer."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from typing import Any

_STDERR = 2


def occupy_standard_descriptors() -> None:
    """Open /dev/null in place of a standard stream that is closed, so that no socket or store ever takes its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def notify_systemd(state: str) -> None:
    """Send `READY=1`, `STOPPING=1`, `WATCHDOG=1` or the like when systemd listens (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())


def watchdog_seconds() -> float | None:
    """How often systemd wants a sign of life, halved; None when it does not."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    return int(micros) / 2_000_000 if micros.isdigit() and int(micros) > 0 else None


def tell_parent(descriptor: int | None, line: dict[str, Any]) -> None:
    """Write the one line that says whether we are ready, and close the pipe."""
    if descriptor is None:
        return
    with suppress(OSError):
        os.write(descriptor, (json.dumps(line) + "\n").encode())
        os.close(descriptor)
