"""What a configuration has otherwise than the one that a collector applied before it."""

from __future__ import annotations

from collections.abc import Mapping

from spendtop.domain.untrusted import clean_line
from spendtop.store.reads.configuration.applied import Applied


def applied_changes(before: Applied, now: Applied) -> list[str]:
    """One text for each part that differs, such as `limit "daily" removed`; never a secret."""
    old, new = _parts(before), _parts(now)
    removed = [f"{part} removed" for part in old if part not in new]
    added = [f"{part} added" for part in new if part not in old]
    return removed + added + [f"{part} changed" for part in new if part in old and old[part] != new[part]]


def _parts(applied: Applied) -> Mapping[str, object]:
    """What counts, speaks or is taken, by what it is called."""
    parts: dict[str, object] = {_named("limit", limit.name): limit for limit in applied.limits}
    parts |= {_named("channel", name): None for name in applied.channels}
    parts |= {_named("account", account.name): account for account in applied.accounts}
    parts |= {_named("poller", poller.name): poller for poller in applied.pollers}
    parts |= {_named("ingest key", name): None for name in applied.doors.ingest_keys}
    opened = {
        "signing secret": applied.doors.webhook_secret,
        "unsigned webhooks": applied.doors.unsigned,
        "kept prompts": applied.keeps_bodies,
        "providers' limits at /verdict": applied.include_provider,
    }
    parts |= {part: None for part, is_there in opened.items() if is_there}
    return parts | {"[time]": applied.calendar}


def _named(kind: str, name: str) -> str:
    return f'{kind} "{clean_line(name)}"'
