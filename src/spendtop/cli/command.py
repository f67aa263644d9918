"""What a command is: a function `(Options) -> exit code` in a module that is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from spendtop.cli.options import Options


class Argument(NamedTuple):
    """An argument of a command, as `ArgumentParser.add_argument` takes it."""

    names: tuple[str, ...]
    settings: dict[str, Any]


class Command(NamedTuple):
    """A command: where it is, and what people read about it."""

    place: str
    """`room.module` below `spendtop.cli`, or `room.module:function`; the function is `run` otherwise."""
    help: str
    example: str
    arguments: tuple[Argument, ...] = ()

    def function(self) -> Callable[[Options], int]:
        module, _, name = self.place.partition(":")
        function: Callable[[Options], int] = getattr(import_module(f"spendtop.cli.{module}"), name or "run")
        return function


def argument(*names: str, **settings: Any) -> Argument:
    """An argument, with what `ArgumentParser.add_argument` is to make of it."""
    return Argument(names, settings)


JSON = argument("--json", action="store_true", help="as JSON")
API_JSON = argument("--json", action="store_true", help="as JSON, as the HTTP API answers")
FILTER = argument("filter", nargs="*", metavar="FILTER", help="such as user:alice error: 'cost>0.05'")
SPAN = (
    argument(
        "--since", metavar="TIME", help="24h, 14:00, today, yesterday, week, month, 2026-11-01 or 2026-11-01T14:00"
    ),
    argument("--until", metavar="TIME", help="like --since; a date counts whole"),
)
"""What selects requests, as `cli.request_selection` reads it."""
