"""`spendtop schema`: the JSON Schema of the configuration."""

from __future__ import annotations

import json
import sys

from spendtop.cli.options import Options
from spendtop.config.json_schema import json_schema
from spendtop.domain.errors import ExitCode
from spendtop.sources.settings import SECTIONS


def run(options: Options) -> int:
    """Write the schema to standard output."""
    sys.stdout.write(f"{json.dumps(json_schema(SECTIONS), indent=2)}\n")
    return ExitCode.OK
