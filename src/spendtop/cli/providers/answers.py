"""What a command waits for: a provider's answer, or what it has to push. Whoever watches sees that it waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from spendtop.cli.interruption import interruptible
from spendtop.cli.meter import show
from spendtop.domain.errors import CannotWrite, ConfigError, SpendtopError
from spendtop.sources.pollers import KeyRefused, PollFailed

_SHOWN_EVERY = 1.0
_LOOK = 0.1
_REST = "What was asked before may still be done."
T = TypeVar("T")


def answer_to(question: Coroutine[Any, Any, T], what: str) -> T:
    """What the provider says; `what` is done meanwhile, such as "Asking Helicone for its webhooks".

    Raises ConfigError where the key is at fault, else CannotWrite.
    """
    try:
        with interruptible(what, _REST), asyncio.Runner() as runner:
            return runner.run(_watched(question, what))
    except KeyRefused as refused:
        raise ConfigError(str(refused)) from None
    except PollFailed as failure:
        raise CannotWrite(str(failure)) from None


def wait_until(has_come: Callable[[], bool], seconds: float, what: str, complaint: str) -> None:
    """Look until it has come. Raises SpendtopError with the complaint after these seconds."""
    began = time.monotonic()
    with interruptible(what, _REST):
        while not has_come():
            waited = time.monotonic() - began
            if waited > seconds:
                raise SpendtopError(complaint)
            if waited > _SHOWN_EVERY:
                show(f"{what}: {waited:.0f} s of at most {seconds:g}. Ctrl+C stops it.")
            time.sleep(_LOOK)


async def _watched(question: Coroutine[Any, Any, T], what: str) -> T:
    began, asked = time.monotonic(), asyncio.ensure_future(question)
    while not (await asyncio.wait({asked}, timeout=_SHOWN_EVERY))[0]:
        show(f"{what}, if need be again: {time.monotonic() - began:.0f} s. Ctrl+C stops it.")
    return await asked
