"""Our few signs beyond ASCII, for terminals that cannot show them."""

from __future__ import annotations

import codecs

ERRORS = "spendtop-ascii"
"""Name of the error handler for `open(errors=...)` and the like."""

_PLAIN = {"·": "-", "→": "->", "…": "...", "⏎": "|", "µ": "u", "×": "x"}


def register() -> None:
    """Make the error handler known."""
    codecs.register_error(ERRORS, _replace)


def _replace(failure: UnicodeError) -> tuple[str, int]:
    if not isinstance(failure, UnicodeEncodeError):
        raise failure
    unknown = failure.object[failure.start : failure.end]
    return "".join(_PLAIN.get(sign, "?") for sign in unknown), failure.end
