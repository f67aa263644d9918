"""The user's own pricing rule: a function in a file of theirs."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from spendtop.domain.errors import ConfigError
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.pricer import Hook
from spendtop.domain.requests.request import Request
from spendtop.domain.untrusted import clean_line

_LONGEST_SECONDS = 0.05
_log = logging.getLogger(__name__)


def load(reference: str) -> Hook:
    """The hook that `/path/costs.py:cost` names.

    An exception, an amount that is none, or more than 50 ms make the cost unknown; None leaves it to the price list.
    Raises ConfigError when there is no such file or function.
    """
    file, _, name = reference.rpartition(":")
    path = Path(file)
    spec = importlib.util.spec_from_file_location("spendtop_pricing_hook", path) if file and path.is_file() else None
    if spec is None or spec.loader is None:
        raise ConfigError(f'[pricing] hook: there is no file {path}; write it as "./costs.py:cost".')
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        cost: Callable[[Request], Decimal | None] = getattr(module, name)
        if not callable(cost):
            raise TypeError(f"{name} is not a function")
    except BaseException as failure:  # whatever a file does as it is loaded must not end this program
        raise ConfigError(f"[pricing] hook: {path} cannot be used: {_words(failure)}") from None
    return _guarded(cost)


def _words(failure: BaseException) -> str:
    """The exception's name and text; its text is the user's code, too."""
    name = clean_line(type(failure).__name__)
    try:
        text = clean_line(str(failure))
    except BaseException:
        return name
    return f"{name}: {text}" if text else name


def _guarded(cost: Callable[[Request], Decimal | None]) -> Hook:
    thread = _HookThread(cost)

    def hook(request: Request) -> tuple[Usd | None, bool]:
        try:
            amount = thread.answer(request)
        except _HookFailed as failure:
            _log.warning("the pricing hook %s", failure)
            return None, True
        return amount, amount is not None

    return hook


class _HookFailed(Exception):
    """The user's function gave no answer that can be used; the text says what it did."""


class _HookThread:
    """Asks the user's function in a thread of its own, so that nobody waits longer than 50 ms for it, and that nothing
    it raises reaches the program.

    While it is still busy with an earlier request, it is not asked at all.
    """

    def __init__(self, cost: Callable[[Request], Decimal | None]) -> None:
        self._cost = cost
        self._questions: SimpleQueue[tuple[Request, Future[Usd | None]]] = SimpleQueue()
        self._pending: Future[Usd | None] | None = None
        self._turn = Lock()
        Thread(target=self._work, name="pricing hook", daemon=True).start()

    def answer(self, request: Request) -> Usd | None:
        """What the function says. Raises _HookFailed."""
        with self._turn:
            if self._pending is not None and not self._pending.done():
                raise _HookFailed("is still busy with an earlier request")
            answer: Future[Usd | None] = Future()
            self._pending = answer
            self._questions.put((request, answer))
            try:
                return answer.result(_LONGEST_SECONDS)
            except TimeoutError:
                raise _HookFailed(f"took longer than {_LONGEST_SECONDS * 1000:.0f} ms") from None

    def _work(self) -> None:
        while True:
            request, answer = self._questions.get()
            try:
                answer.set_result(self._answered(request))
            except _HookFailed as failure:
                answer.set_exception(failure)

    def _answered(self, request: Request) -> Usd | None:
        try:
            dollars = self._cost(request)
        except BaseException as failure:  # also `sys.exit()`: the next request needs this thread
            raise _HookFailed(f"failed: {clean_line(type(failure).__name__)}") from None
        try:
            return None if dollars is None else _amount(dollars)
        except Exception as failure:
            raise _HookFailed(f"gave no amount: {clean_line(type(failure).__name__)}") from None


def _amount(dollars: Decimal) -> Usd:
    amount = Usd.of(dollars)
    if amount < ZERO:
        raise ValueError("a negative cost")
    return amount
