"""Putting text on the clipboard, and saying what came of work in a thread."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from spendtop.tui import clipboard
from spendtop.tui.screens.live_screen import LiveScreen


class Copying(LiveScreen):
    """What screens share from which something can be copied."""

    def copy_text(self, text: str) -> None:
        """In a thread, because tmux may take its time."""
        self.run_worker(partial(self._put_on_clipboard, text), thread=True, exit_on_error=False, group="copy")

    def report(self, words: str, severity: Any) -> None:
        """Tell the user; from a thread."""
        self.app.call_from_thread(partial(self.notify, words, severity=severity, markup=False))

    def _put_on_clipboard(self, text: str) -> None:
        from platformdirs import user_state_path

        def send(sequence: str) -> None:
            self.app.call_from_thread(self.face.send_to_terminal, sequence)

        try:
            said = clipboard.copy(text, os.environ, send, user_state_path("spendtop"))
        except OSError as failure:
            self.report(f"Copying failed: {failure.strerror}.", "error")
        else:
            self.report(said, "information")
