"""Taking over what an older system recorded, and saying what was taken and what was left."""

from __future__ import annotations

import os
import sys

from spendtop.cli.imports.report import Report
from spendtop.cli.imports.target import Target
from spendtop.cli.tables import say, table
from spendtop.domain.errors import UsageError
from spendtop.domain.untrusted import Untrusted, clean_line
from spendtop.sources.legacy.columns import ORIGINS, LegacyKind, Table
from spendtop.sources.legacy.database import OldDatabase, opened


def take_over(place: str, target: Target, report: Report, now: int) -> None:
    """Read the older system's tables at a path or URL, or at the one that `env:NAME` names, into the store.

    Raises UsageError where there are none, and NoPermission where they cannot be read.
    """
    with opened(_resolved(place)) as old:
        if not old.tables:
            raise UsageError(f"None of the older systems' tables is there: {', '.join(ORIGINS)}. {_left(old)}".rstrip())
        say(table(("table", ">rows", "taken as", "columns", "not used"), [_mapped(old, each) for each in old.tables]))
        if left := _left(old):
            say(left)
        say("")
        if any(each.origin.kind is LegacyKind.TOKENS for each in old.tables):
            _take_tokens(old, target)
        for each in old.tables:
            if each.origin.kind is LegacyKind.REQUESTS:
                _take_requests(old, each, target, report, now)


def _resolved(place: str) -> str:
    """The environment keeps a password from those who see the command line."""
    name = place.removeprefix("env:")
    if name == place:
        return place
    if not os.environ.get(name):
        raise UsageError("--from-old names a variable of the environment that is not set.")
    return os.environ[name]


def _mapped(old: OldDatabase, found: Table) -> tuple[object, ...]:
    columns = [
        column if column == meaning else f"{column} as {meaning}"
        for meaning, column in found.columns.items()
        if meaning != "key"
    ]
    kind = "tracking tokens" if found.origin.kind is LegacyKind.TOKENS else f"requests of {found.origin.source}"
    unused = clean_line(", ".join(found.unused)) or "-"
    return Untrusted(found.name), f"{old.count(found):,}", kind, clean_line(", ".join(columns)), unused


def _left(old: OldDatabase) -> str:
    return "\n".join(clean_line(f"left: {each.name}: {each.reason}") for each in old.left)


def _take_tokens(old: OldDatabase, target: Target) -> None:
    taken = there = 0
    for token in old.tokens():
        try:
            is_new = target.take_token(token)
        except UsageError as refusal:
            sys.stderr.write(clean_line(f"skipped tracking token {token.name}: {refusal}") + "\n")
            continue
        taken, there = taken + is_new, there + (not is_new)
    say(f"tracking tokens: {taken:,} {target.said}, {there:,} there already")


def _take_requests(old: OldDatabase, found: Table, target: Target, report: Report, now: int) -> None:
    part = report.part(found.name)
    rows = old.rows(found, now)
    target.take(report.taken(part, old.requests(found, rows)), part, report.progress)
    if rows.zoneless:
        say(clean_line(f"{found.name}: times without a zone were taken as UTC, in {rows.zoneless:,} of its rows"))
