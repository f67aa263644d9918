"""`spendtop client`: the client that applications copy."""

from __future__ import annotations

import sys

from spendtop.cli.options import Options
from spendtop.domain.errors import ExitCode
from spendtop.services.snippets import client


def run(options: Options) -> int:
    """Write the client to standard output."""
    sys.stdout.write(client())
    return ExitCode.OK
