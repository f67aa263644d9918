"""`spendtop import FILE...` and `spendtop import --from-old PATH|URL`."""

from __future__ import annotations

import sys
from argparse import Namespace

from spendtop.cli.effective_limits import now
from spendtop.cli.imports.files import STDIN, reading
from spendtop.cli.imports.old import take_over
from spendtop.cli.imports.report import Report
from spendtop.cli.imports.target import Target, recording, rehearsing
from spendtop.cli.options import Options, load_settings
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.sources.files import Format

_INTERRUPTED = 130


def run(options: Options) -> int:
    """Record what files or an older system hold; what is known already counts once."""
    arguments = options.arguments
    if bool(arguments.files) is bool(arguments.from_old):
        raise UsageError(
            "Name files to import, `-` for standard input, or an older system's database with --from-old PATH|URL."
        )
    if arguments.files.count(STDIN) > 1:
        raise UsageError("Standard input can be read once; name `-` once.")
    settings, at = load_settings(options).settings, now()
    report = Report(arguments.strict, settings.retention.requests, at)
    with rehearsing(settings) if arguments.dry_run else recording(settings, at) as target:
        try:
            _take(arguments, target, report, at)
        except KeyboardInterrupt:
            report.summary(target.said)
            sys.stderr.write(
                "Stopped. What is counted above is done; the same command goes on from there, as duplicates are not"
                " counted again.\n"
            )
            return _INTERRUPTED
        except BaseException:
            report.summary(target.said)
            raise
    report.summary(target.said)
    return ExitCode.OK


def _take(arguments: Namespace, target: Target, report: Report, at: int) -> None:
    if arguments.from_old:
        take_over(arguments.from_old, target, report, at)
    held = None if arguments.format == "auto" else Format(arguments.format)
    for name in arguments.files:
        with reading(name, held, at) as read:
            part = report.part("standard input" if name == STDIN else name)
            target.take(report.taken(part, read), part, report.progress)
