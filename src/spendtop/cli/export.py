"""`spendtop export`: all requests that a filter selects, as CSV or JSON lines."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spendtop.cli.options import Options
from spendtop.cli.request_selection import selected
from spendtop.domain.errors import CannotWrite, ExitCode, UsageError
from spendtop.services import export_files
from spendtop.services.request_export import FORMATS, counting, pages


def run(options: Options) -> int:
    arguments = options.arguments
    kind = _kind(arguments)
    with selected(options) as (store, query, context):
        progress = _Progress(sys.stderr.isatty() and (arguments.output is not None or not sys.stdout.isatty()))
        chunks = FORMATS[kind](counting(pages(store, query, context), progress.show))
        with progress.shown():
            if arguments.output is None:
                print_bytes(chunks)
            else:
                write = export_files.replace if arguments.force else export_files.create
                write(Path(arguments.output).expanduser(), chunks)
    if arguments.output is not None:
        requests = "request" if progress.count == 1 else "requests"
        sys.stderr.write(f"{progress.count:,} {requests} in {arguments.output}\n")
    return ExitCode.OK


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
    if arguments.csv and arguments.jsonl:
        raise UsageError("--csv and --jsonl exclude each other.")
    if str(arguments.output or "").endswith(".gz"):
        raise UsageError("An export is not packed. Leave .gz away, or pipe it: spendtop export | gzip > FILE.csv.gz")
    if arguments.force and arguments.output is None:
        raise UsageError("--force belongs to --output FILE.")
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
