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
from spendtop.domain.shell_words import shell_word

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
        program=_program(),
        version=__version__,
        port=server.port or 8000,
        name=urlsplit(server.public_url).hostname or "spend.example.org",
    )
    sys.stdout.write(text)
    return ExitCode.OK


def _program() -> str:
    """As systemd reads words, which quotes as a shell does, and expands % and $."""
    found = shutil.which("spendtop")
    words = [found] if found else [sys.executable, "-P", "-m", "spendtop"]
    return " ".join(map(shell_word, words)).replace("%", "%%").replace("$", "$$")
