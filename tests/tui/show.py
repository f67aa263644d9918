"""A program for tests: the face over the store whose path is given, with a clock that stands still."""

from __future__ import annotations

import sys

from spendtop.tui.app import run
from spendtop.tui.keyboard import Keyboard
from spendtop.tui.session import AttachedCollector, Session

if __name__ == "__main__":
    path, now, *options = sys.argv[1:]

    def connect(upgraded):  # type: ignore[no-untyped-def]
        """Imports the store only when it is asked for."""
        from spendtop.store.engine import Store

        return Store(f"sqlite:///{path}")

    if "--broken-keyboard" in options:

        def fail(keyboard: Keyboard) -> None:
            raise LookupError("sk-very-secret")

        Keyboard.run_input_thread = fail  # type: ignore[assignment,method-assign]

    sys.exit(
        run(
            Session(
                connect=connect,
                clock=lambda: int(now),
                collector=lambda: AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=False),
                stop_collector=lambda: None,
                store_name="prod",
                ascii="--ascii" in options,
                bell="--bell" in options,
                title="--title" in options,
                mouse=False,
            )
        )
    )
