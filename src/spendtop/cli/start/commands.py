"""The commands that keep running, by their words."""

from __future__ import annotations

from spendtop.cli.command import Command, argument

START_COMMANDS: dict[str, Command] = {
    "attach": Command(
        "start.view",
        "Watch a store without collecting for it.",
        "spendtop attach --read-only",
        (argument("--read-only", action="store_true", help="change nothing in the store"),),
    ),
    "stop": Command("start.view:stop", "Stop the collector that holds this store.", "spendtop stop"),
    "demo": Command(
        "start.demo",
        "Show everything alive on a throw-away store, offline.",
        "spendtop demo --no-ui",
    ),
}
