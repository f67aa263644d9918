"""What providers answer a command that waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from spendtop.domain.errors import CannotWrite, ConfigError
from spendtop.sources.pollers import KeyRefused, PollFailed

T = TypeVar("T")


def answer_to(question: Coroutine[Any, Any, T]) -> T:
    """What the provider says. Raises ConfigError where the key is at fault, else CannotWrite."""
    try:
        return asyncio.run(question)
    except KeyRefused as refused:
        raise ConfigError(str(refused)) from None
    except PollFailed as failure:
        raise CannotWrite(str(failure)) from None
