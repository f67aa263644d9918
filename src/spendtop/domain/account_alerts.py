"""What is said about accounts and pollers, in a few words that every face shares."""

from __future__ import annotations

from spendtop.domain.alerting import Message, MessageKind
from spendtop.domain.money import Usd


def headline(message: Message, name: str) -> str | None:
    """What a message says, `name` (of the account or poller) written as the face writes names; None for limits."""
    match message.resolves or message.kind:
        case MessageKind.LOW_BALANCE:
            about = f"low balance: {name} {Usd(message.used_nano).floored} of {Usd(message.limit_nano)}"
        case MessageKind.STALE:
            about = f"stale data: {name}"
        case _:
            return None
    return f"resolved {about}" if message.resolves else about
