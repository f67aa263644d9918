"""What is said of a writer that cannot write, or is at one write for long."""

from __future__ import annotations

from typing import Protocol

from spendtop.domain.untrusted import clean_line

HELD_UP = 5.0
"""Seconds without a write that was wanted, after which that is said."""


class ObservedWriter(Protocol):
    """What shows how a writer gets on."""

    is_writing: bool
    hindrance: str

    @property
    def held_up_for(self) -> float:
        """Seconds."""


def held_up(writer: ObservedWriter) -> str | None:
    """Why nothing has been written for a while, and what to do."""
    if writer.held_up_for < HELD_UP:
        return None
    if writer.is_writing:
        return f"One write takes more than {HELD_UP:g} s; what comes waits for it and is recorded then."
    reason = clean_line(writer.hindrance)
    if not reason or "lock" in reason:
        reason = "another program holds it. End that, such as a SQL shell"
    return (
        f"The store could not be written for more than {HELD_UP:g} s: {reason}. Webhooks wait for up to a minute,"
        " pushes are told to come again."
    )
