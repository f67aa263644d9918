"""`spendtop import FILE...` and `spendtop import --from-old PATH|URL`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from spendtop.cli.effective_limits import now
from spendtop.cli.imports.files import STDIN, reading
from spendtop.cli.imports.litellm import is_address, spend_logs
from spendtop.cli.imports.report import Report
from spendtop.cli.imports.target import Target, recording, rehearsing
from spendtop.cli.interruption import INTERRUPTED
from spendtop.cli.options import Options, load_settings
from spendtop.cli.tables import say, table
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.untrusted import Untrusted, clean_line
from spendtop.sources import unknown_fields
from spendtop.sources.files import Format, Read
from spendtop.sources.legacy.columns import ORIGINS, LegacyKind, Table
from spendtop.sources.legacy.database import OldDatabase, opened


def run(options: Options) -> int:
    """Record what files or an older system hold; what is known already counts once."""
    arguments = options.arguments
    if arguments.tool and arguments.format != "auto":
        raise UsageError("--from says the format already; leave --format away.")
    if bool(arguments.files) is bool(arguments.from_old):
        raise UsageError(
            "Name files to import, `-` for standard input, or an older system's database with --from-old PATH|URL."
        )
    if arguments.files.count(STDIN) > 1:
        raise UsageError("Standard input can be read once; name `-` once.")
    settings, at = load_settings(options).settings, now()
    _look(arguments, at)
    report = Report(arguments.strict, settings.retention.requests, at)
    with rehearsing(settings) if arguments.dry_run else recording(settings, at) as target:
        try:
            _take(arguments, target, report, at)
        except KeyboardInterrupt:
            report.summary(target.outcome)
            sys.stderr.write(
                "Stopped. What is counted above is done; the same command goes on from there, as duplicates are not"
                " counted again.\n"
            )
            return INTERRUPTED
        except BaseException:
            report.summary(target.outcome)
            raise
    report.summary(target.outcome)
    if report.took_nothing:
        sys.stderr.write("Nothing could be imported; what is wrong with the lines stands above.\n")
        return ExitCode.USAGE
    return ExitCode.OK


def _take(arguments: Namespace, target: Target, report: Report, at: int) -> None:
    if arguments.from_old:
        _take_over(arguments.from_old, target, report, at)
    held = _held(arguments)
    for name in arguments.files:
        with _read(name, held, arguments, at) as read, unknown_fields.collecting() as unknown:
            part = report.part("standard input" if name == STDIN else name)
            part.unknown = unknown
            target.take(report.taken(part, read), part, report.progress)


def _look(arguments: Namespace, at: int) -> None:
    """Raises what reading the files raises before their first row, while nothing is opened yet. A pipe is read once."""
    held = _held(arguments)
    for name in arguments.files:
        if name != STDIN and not is_address(name) and not Path(name).is_fifo():
            with _read(name, held, arguments, at):
                pass


def _held(arguments: Namespace) -> Format | None:
    """What the files hold; None where that is to be found out."""
    name = arguments.tool or arguments.format
    return None if name == "auto" else Format(name)


def _read(name: str, held: Format | None, arguments: Namespace, at: int) -> AbstractContextManager[Read]:
    """What a file holds, or what LiteLLM's proxy at an address tells of a span of time. Raises UsageError."""
    if is_address(name):
        if held is not Format.LITELLM:
            raise UsageError("Only LiteLLM is asked itself: --from litellm URL. Of the others, name a file.")
        return nullcontext(spend_logs(name, arguments.since, arguments.until, at))
    if arguments.since or arguments.until:
        raise UsageError("--since and --until belong to a URL; a file is imported whole.")
    return reading(name, held, at)


def _take_over(place: str, target: Target, report: Report, now: int) -> None:
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


def _mapped(old: OldDatabase, their: Table) -> tuple[object, ...]:
    columns = [
        column if column == meaning else f"{column} as {meaning}"
        for meaning, column in their.columns.items()
        if meaning != "key"
    ]
    kind = "tracking tokens" if their.origin.kind is LegacyKind.TOKENS else f"requests of {their.origin.source}"
    unused = clean_line(", ".join(their.unused)) or "-"
    return Untrusted(their.name), f"{old.count(their):,}", kind, clean_line(", ".join(columns)), unused


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
    say(f"tracking tokens: {taken:,} {target.outcome}, {there:,} there already")


def _take_requests(old: OldDatabase, their: Table, target: Target, report: Report, now: int) -> None:
    part = report.part(their.name)
    rows = old.rows(their, now)
    target.take(report.taken(part, old.requests(their, rows)), part, report.progress)
    if rows.zoneless:
        say(clean_line(f"{their.name}: times without a zone were taken as UTC, in {rows.zoneless:,} of its rows"))
