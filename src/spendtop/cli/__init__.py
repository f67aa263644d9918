"""The commands: each is a function `(Options) -> exit code` in a module that is imported only when it is chosen."""

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
    """`module` below `spendtop.cli`, or `module:function`; the function is `run` otherwise."""
    help: str
    example: str
    arguments: tuple[Argument, ...] = ()

    def function(self) -> Callable[[Options], int]:
        """Import what the command runs."""
        module, _, name = self.place.partition(":")
        function: Callable[[Options], int] = getattr(import_module(f"spendtop.cli.{module}"), name or "run")
        return function


def _argument(*names: str, **settings: Any) -> Argument:
    return Argument(names, settings)


_ID = _argument("id", nargs="?", type=int, metavar="ID", help="only this one; all without it")

SCREENS = Command(
    "view",
    "htop for the LLM bill: live spend, limits and alerts. Without a command it shows the screens, and starts a"
    " collector where none holds the store.",
    "spendtop --port 9000",
)
"""What runs without a command."""

HEADLESS = Command("collect", "Collect in the foreground, without a screen.", "spendtop --no-ui --log-format json")
"""What runs without a command, but with `--no-ui`."""

COMMANDS: dict[str, Command] = {
    "attach": Command(
        "view",
        "Watch a store without collecting for it.",
        "spendtop attach --read-only",
        (_argument("--read-only", action="store_true", help="change nothing in the store"),),
    ),
    "stop": Command("stop", "Stop the collector that holds this store.", "spendtop stop"),
    "demo": Command(
        "demo",
        "Show everything alive on a throw-away store, offline.",
        "spendtop demo --no-ui",
    ),
    "init": Command(
        "init",
        "Write a commented spendtop.toml (0600) with fresh keys, or with what an old .env says.",
        "spendtop init --from-env",
        (_argument("--from-env", action="store_true", help="take over the old .env; nothing is asked"),),
    ),
    "check": Command(
        "check",
        "Check configuration, store, port, keys and channels: a line each, with what to do.",
        "spendtop check --probe",
        (_argument("--probe", action="store_true", help="also see whether providers and channels can be reached"),),
    ),
    "send-test": Command(
        "send_test",
        "Sign realistic webhooks, post them to the running collector or to URL, and say what came back. They are"
        " recorded like real ones.",
        "spendtop send-test https://spend.example.org --count 20 --rate 5",
        (
            _argument("url", nargs="?", metavar="URL", help="where to post; without it the running collector"),
            _argument("--count", type=int, default=1, metavar="N", help="how many (default 1)"),
            _argument("--rate", type=float, default=10.0, metavar="R", help="at most this many a second (default 10)"),
        ),
    ),
    "status": Command(
        "status",
        "One line for tmux or a prompt, from a small file that the collector keeps beside the store. Exits 0, or 10"
        " when a limit is approaching, 11 when one is exceeded.",
        "spendtop status --line '{today} {worst_name} {worst}'",
        (
            _argument("--json", action="store_true", help="everything that is known, as JSON"),
            _argument(
                "--line",
                nargs="?",
                const="",
                metavar="FORMAT",
                help="{today} {hour} {unpriced} {requests} {worst} {worst_name} {state} {age} in your own words;"
                " {state} is stale when nobody collects",
            ),
        ),
    ),
    "spend": Command(
        "spend",
        "What was spent, as a table: the last 24 hours, or from --since to --until.",
        "spendtop spend --by user,model --since 2026-11-01 --until 2026-11-07",
        (
            _argument("--by", metavar="DIMENSIONS", help="one or two of user, model, provider, session, token, source"),
            _argument("--since", metavar="TIME", help="24h, 14:00, today, yesterday, 2026-11-01 or 2026-11-01T14:00"),
            _argument("--until", metavar="TIME", help="like --since; a date counts whole (default: now)"),
            _argument("--json", action="store_true", help="as JSON"),
            _argument("--csv", action="store_true", help="as CSV"),
        ),
    ),
    "limit list": Command("limits:show", "Every limit with its use, the fullest first.", "spendtop limit list"),
    "limit check": Command(
        "limits:check",
        "The limits that are approaching or exceeded. Exits 0, 10 when one is approaching, 11 when one is exceeded.",
        "spendtop limit check || echo 'slow down'",
    ),
    "alert list": Command(
        "alerts:show",
        "Open alerts, the newest first.",
        "spendtop alert list --all",
        (_argument("--all", action="store_true", help="also those that are resolved"),),
    ),
    "delivery list": Command(
        "deliveries:show",
        "Messages that wait or are dead, the newest first.",
        "spendtop delivery list --all",
        (_argument("--all", action="store_true", help="also those that were sent"),),
    ),
    "delivery retry": Command(
        "deliveries:retry", "Let the collector send dead messages again.", "spendtop delivery retry 17", (_ID,)
    ),
    "quarantine list": Command(
        "quarantine:show",
        "Signed events that were kept but are not counted: not understood, or tests.",
        "spendtop quarantine list",
    ),
    "quarantine retry": Command(
        "quarantine:retry",
        "Let the collector read events again that were not understood, for example after an upgrade.",
        "spendtop quarantine retry",
        (_ID,),
    ),
    "channel list": Command("channels:show", "The channels, their kinds and what is wrong.", "spendtop channel list"),
    "channel test": Command(
        "channels:test",
        "Send a test message from here to one channel, or to all; no collector is needed.",
        "spendtop channel test ops",
        (_argument("name", nargs="?", metavar="NAME", help="only this one; all without it"),),
    ),
}
"""Every command by its one or two words."""
