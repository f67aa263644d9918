"""`spendtop export --format parquet`: a folder of days for DuckDB, Spark and the like."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from msgspec.structs import replace

from spendtop.cli.options import Options
from spendtop.cli.request_selection import selected
from spendtop.domain.clock import DAY
from spendtop.domain.counted import counted
from spendtop.domain.errors import CannotCreate, ExitCode, UsageError
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.parquet import FILE, ExportState, WrittenDays, export_days, read_state
from spendtop.store.reads.spending.bucket_spans import Span


def run(options: Options) -> int:
    """Write the days, or those that changed since the last time."""
    arguments = options.arguments
    if arguments.output is None:
        raise UsageError("--format parquet needs --output FOLDER: it writes one file per UTC day there.")
    if find_spec("pyarrow") is None:
        raise UsageError("--format parquet needs the extra `parquet`: pip install 'spendtop[parquet]'.")
    folder = Path(arguments.output).expanduser()
    state = _state(folder, options)
    with selected(options, Calendar()) as (store, query, context):
        whole = Span(query.since, query.until).widened(DAY)
        query = replace(query, since=whole.since, until=whole.until)
        _make(folder)
        written = _shown(export_days(store, query, context, folder, state))
    if not written.days:
        sys.stderr.write(f"Nothing in {folder} has changed.\n" if arguments.since_last else "There are no requests.\n")
    else:
        days = counted(written.days, "day")
        sys.stderr.write(f"{counted(written.requests, 'request')} of {days} in {folder}\n")
    return ExitCode.OK


def _state(folder: Path, options: Options) -> ExportState:
    """What to go on from. Raises UsageError where the folder is another export's, or another is not to be replaced."""
    arguments = options.arguments
    text = " ".join(arguments.filter)
    if arguments.since_last and (arguments.since or arguments.until or arguments.force):
        raise UsageError("--since-last excludes --since, --until and --force.")
    state = read_state(folder)
    if state is None or arguments.force:
        if state is None and any(folder.glob(f"day=*/{FILE}")):
            raise UsageError(f"{folder} holds days that another export wrote. Give a new folder.")
        return ExportState(text)
    if not arguments.since_last:
        raise UsageError(f"{folder} holds an export. --since-last brings it up to date, --force writes it anew.")
    if state.filter != text:
        raise UsageError(f"{folder} was exported with another filter. Repeat it as it was, or give a new folder.")
    return state


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise CannotCreate(f"{folder} cannot be made: {failure.strerror}. Give another folder.") from None


def _shown(progress: Iterable[WrittenDays]) -> WrittenDays:
    """The last one; each is shown where somebody looks."""
    written = WrittenDays()
    is_seen = sys.stderr.isatty()
    for written in progress:
        if is_seen:
            sys.stderr.write(f"\r{written.days:,} days, {counted(written.requests, 'request')} ")
            sys.stderr.flush()
    if is_seen:
        sys.stderr.write("\r\x1b[K")
    return written
