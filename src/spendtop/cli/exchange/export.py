"""`spendtop export`: all requests that a filter selects, as CSV, JSON lines or charges of FOCUS."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from spendtop.cli.effective_limits import accounts_in_force
from spendtop.cli.exchange import parquet
from spendtop.cli.options import Options, load_readable
from spendtop.cli.request_selection import selected
from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.cost_words import cost_words, known_cost
from spendtop.domain.counted import counted
from spendtop.domain.errors import CannotWrite, ExitCode, UsageError
from spendtop.domain.windows import Calendar
from spendtop.services.exchange import files as export_files
from spendtop.services.exchange.export import FORMATS, counting, pages
from spendtop.services.exchange.focus import WrittenCharges, focus_chunks
from spendtop.services.exchange.focus_entries import LedgerCharges, ledger_charges
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.spending.bucket_spans import Span


def run(options: Options) -> int:
    arguments = options.arguments
    if arguments.format == "parquet":
        return parquet.run(options)
    kind, charges = _kind(arguments), WrittenCharges()
    with selected(options, Calendar() if arguments.focus else None) as (store, query, context):
        progress = _Progress(sys.stderr.isatty() and (arguments.output is not None or not sys.stdout.isatty()))
        requests = counting(pages(store, query, context), progress.show)
        chunks = (
            focus_chunks(requests, arguments.focus, charges, _ledgers(options, store, query))
            if arguments.focus
            else FORMATS[kind](requests)
        )
        with progress.shown():
            if arguments.output is None:
                print_bytes(chunks)
            else:
                write = export_files.replace if arguments.force else export_files.create
                write(Path(arguments.output).expanduser(), chunks)
    if arguments.focus:
        sys.stderr.write(_charges_words(charges, Span(query.since, query.until), context.now_us))
    elif arguments.output is not None:
        sys.stderr.write(f"{counted(progress.count, 'request')} in {arguments.output}\n")
    return ExitCode.OK


def _ledgers(options: Options, store: Store, query: RequestQuery) -> LedgerCharges:
    """What was bought, credited and billed in the query's span; a filter selects requests alone."""
    with store.reading() as connection:
        ledgers = ledger_charges(
            connection, accounts_in_force(connection, load_readable(options).settings), Span(query.since, query.until)
        )
    return ledgers if query.filter is None else replace(ledgers, charges=(), bills=())


def _charges_words(written: WrittenCharges, span: Span, now: int) -> str:
    """What a file of charges holds, and what its readers cannot see: costs that are unknown, and days cut short."""
    cost = cost_words(known_cost(written.cost, written.requests, written.unpriced), written.unpriced)
    words = f"{counted(written.requests, 'request')} in {counted(written.rows, 'charge')}: {cost}\n"
    if written.unpriced:
        words += "What is unpriced counts 0 in the money columns; x_UnpricedRequests says of how many requests.\n"
    ends = (span.since, min(now, now if span.until is None else span.until))
    if cut := {f"{to_datetime(end):%Y-%m-%d}" for end in ends if end is not None and end % DAY}:
        words += f"Only a part of the UTC day is in the charges of {' and '.join(sorted(cut))}.\n"
    return words


def print_bytes(chunks: Iterable[bytes]) -> None:
    """Write to stdout as it is, whatever the terminal's encoding. Raises CannotWrite, and BrokenPipeError."""
    try:
        sys.stdout.flush()
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as failure:
        # What is left in the buffer must not fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CannotWrite(f"The output cannot be written: {failure.strerror}. It is not complete.") from None


def _kind(arguments: Namespace) -> str:
    if sum(map(bool, (arguments.csv, arguments.jsonl, arguments.focus, arguments.format))) > 1:
        raise UsageError("--format, --csv, --jsonl and --focus exclude each other.")
    if arguments.since_last:
        raise UsageError("--since-last belongs to --format parquet.")
    if str(arguments.output or "").endswith(".gz"):
        raise UsageError("An export is not packed. Leave .gz away, or pipe it: spendtop export | gzip > FILE.csv.gz")
    if arguments.force and arguments.output is None:
        raise UsageError("--force belongs to --output FILE.")
    if arguments.format:
        return str(arguments.format)
    is_lines = arguments.jsonl or (not arguments.csv and str(arguments.output or "").endswith(".jsonl"))
    return "jsonl" if is_lines else "csv"


class _Progress:
    """How many requests were read, on stderr where somebody looks at it."""

    def __init__(self, is_seen: bool) -> None:
        self._is_seen = is_seen
        self.count = 0

    def show(self, count: int) -> None:
        if self._is_seen and count != self.count:
            sys.stderr.write(f"\r{count:,} requests ")
            sys.stderr.flush()
        self.count = count

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Leave nothing on the line afterwards."""
        try:
            yield
        finally:
            if self._is_seen:
                sys.stderr.write("\r\x1b[K")
