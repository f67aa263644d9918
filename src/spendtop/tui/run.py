"""Runs the terminal face from start to exit code. Imports no store: the first picture comes before that."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from functools import partial

from spendtop.domain.errors import ExitCode
from spendtop.tui.app import SpendtopApp
from spendtop.tui.session import Session


def run(session: Session) -> int:
    """Show the screens until the user leaves; returns the exit code. The caller checked that there is a terminal.

    SIGTERM and SIGHUP end it as 128 + their number, with the terminal restored.
    """
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    app = SpendtopApp(session)
    code = asyncio.run(_run(app, session))
    if app.failure is not None:
        sys.stderr.write(f"spendtop: {app.failure}\n")
    return code


async def _run(app: SpendtopApp, session: Session) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, partial(app.exit, return_code=128 + number))
    await app.run_async(mouse=session.mouse)
    return ExitCode.OK if app.return_code is None else app.return_code
