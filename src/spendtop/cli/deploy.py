"""`spendtop deploy systemd|docker|compose|cloudrun|nginx`: files to run it as a service, ready to use."""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from string import Template
from urllib.parse import urlsplit

from spendtop import __version__
from spendtop.cli.options import Options, load_settings
from spendtop.domain.errors import ExitCode, UsageError

FILES = {
    "systemd": "systemd.service",
    "docker": "Dockerfile",
    "compose": "compose.yaml",
    "cloudrun": "cloudrun.yaml",
    "nginx": "nginx.conf",
}
"""What can be printed, and what the file is called. The first lines of each say where it goes."""


def run(options: Options) -> int:
    """Print the file of one kind of service, filled in from the configuration."""
    kind = options.arguments.kind
    if kind not in FILES:
        raise UsageError(f"Choose one of {', '.join(FILES)}.")
    server = load_settings(options).settings.server
    template = files("spendtop.cli") / "deployments" / FILES[kind]
    text = Template(template.read_text(encoding="utf-8")).substitute(
        program=shutil.which("spendtop") or f"{sys.executable} -P -m spendtop",
        version=__version__,
        port=server.port or 8000,
        name=urlsplit(server.public_url).hostname or "spend.example.org",
    )
    sys.stdout.write(text)
    return ExitCode.OK
