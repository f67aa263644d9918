"""How often a command that runs for long looks for garbage in memory."""

from __future__ import annotations

import gc

_LOOKS = (20_000, 20, 50)


def look_again() -> None:
    """To be called when all is loaded: that stays, so nothing is looked for in it. Until then there are few looks."""
    gc.freeze()
    gc.set_threshold(*_LOOKS)
