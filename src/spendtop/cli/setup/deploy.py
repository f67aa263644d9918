"""`spendtop deploy KIND`: files to run it as a service, ready to use and fitting who one is."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from spendtop import __version__
from spendtop.cli.options import Options, load_settings
from spendtop.config.settings import Settings
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.shell_words import shell_word
from spendtop.domain.untrusted import clean_line
from spendtop.sources.settings import AnthropicSettings, HeliconeSettings, OpenAISettings
from spendtop.store.engine import Store
from spendtop.store.files import locate

FILES = {
    "systemd": "systemd.service",
    "backup-service": "backup.service",
    "backup-timer": "backup.timer",
    "docker": "Dockerfile",
    "compose": "compose.yaml",
    "cloudrun": "cloudrun.yaml",
    "nginx": "nginx.conf",
}
"""What can be printed, and what the file is called. The first lines of each say where it goes."""
_UNITS = ("systemd", "backup-service")
_ONLY_WITH = re.compile(r"  #\[(\w+)\]$")
"""Behind a line of a template that is only for those with a domain (`tls`), or without one (`plain`)."""
_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
"""What ProtectHome and PrivateTmp keep from a unit."""


def run(options: Options) -> int:
    """Print the file of one kind of service, filled in from the configuration; what will not work goes to stderr."""
    kind = options.arguments.kind
    if kind not in FILES:
        raise UsageError(f"Choose one of {', '.join(FILES)}.")
    if options.arguments.plain and kind != "compose":
        raise UsageError("--plain is for compose: the other files need no domain, and nginx is there to give one TLS.")
    settings = load_settings(options).settings
    template = files("spendtop.cli.setup") / "deployments" / FILES[kind]
    text = Template(_fitting(template.read_text(encoding="utf-8"), options.arguments.plain)).substitute(
        program=_program(),
        version=__version__,
        port=settings.server.port or 8000,
        name=urlsplit(settings.server.public_url).hostname or "spend.example.org",
        secrets="\n".join(_secrets(settings)),
    )
    sys.stdout.write(text)
    if kind in _UNITS:
        for what, path, remedy in _hidden(settings):
            sys.stderr.write(f"spendtop: The unit does not see {what}, {clean_line(str(path))}: {remedy}\n")
    return ExitCode.OK


def _fitting(text: str, plain: bool) -> str:
    """The template without the lines that are for others."""
    wanted = "plain" if plain else "tls"
    lines = [(line, _ONLY_WITH.search(line)) for line in text.split("\n")]
    return "\n".join(_ONLY_WITH.sub("", line) for line, mark in lines if mark is None or mark[1] == wanted)


def _secrets(settings: Settings) -> Iterator[str]:
    """A variable of Cloud Run per line: those of what is configured here, the others as comments."""
    helicone, channels = settings.section(HeliconeSettings), {channel.name for channel in settings.channels}
    known = {
        "HELICONE_WEBHOOK_SECRET": helicone.webhook_secrets,
        "HELICONE_API_KEY": helicone.api_key.get_secret_value(),
        "OPENAI_ADMIN_KEY": settings.section(OpenAISettings).admin_key.get_secret_value(),
        "SPENDTOP_ANTHROPIC__ADMIN_KEY": settings.section(AnthropicSettings).admin_key.get_secret_value(),
        "INGEST_KEY": settings.server.ingest_keys,
        "SLACK_WEBHOOK_URL": "slack" in channels,
        "DISCORD_WEBHOOK_URL": "discord" in channels,
        "SMTP_USERNAME": "email" in channels,
        "SMTP_PASSWORD": "email" in channels,
        "ALERT_RECIPIENT_EMAIL": "email" in channels,
    }
    for name, value in known.items():
        secret = name.removeprefix("SPENDTOP_").replace("__", "_").replace("_", "-").lower()
        reference = f"{{secretKeyRef: {{name: spendtop-{secret}, key: latest}}}}"
        yield f"            {'' if value else '# '}- {{name: {name}, valueFrom: {reference}}}"


def _hidden(settings: Settings) -> Iterator[tuple[str, Path, str]]:
    """What lies where a unit cannot see it: what it is, where, and what to do."""
    program = shutil.which("spendtop")
    for path in dict.fromkeys(Path(found).resolve() for found in (program, sys.prefix, sys.base_prefix) if found):
        if _is_hidden(path):
            yield (
                "the program",
                path,
                "install it elsewhere, such as under /opt/spendtop, and print the unit from there.",
            )
            break
    store = Store(locate(settings.database.url.get_secret_value())[0]).path if settings.database.url else None
    if store is not None and _is_hidden(store) and "url" in settings.database.model_fields_set:
        yield "the store", store, "take `url` out of [database], and the store is /var/lib/spendtop/spendtop.db."
    hook = settings.pricing.hook.rpartition(":")[0]
    if hook and _is_hidden(Path(hook)):
        yield "the pricing hook", Path(hook), "put it under /etc/spendtop, and change `hook` under [pricing]."


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in _HIDDEN)


def _program() -> str:
    """As systemd reads words, which quotes as a shell does, and expands % and $."""
    found = shutil.which("spendtop")
    words = [found] if found else [sys.executable, "-P", "-m", "spendtop"]
    return " ".join(map(shell_word, words)).replace("%", "%%").replace("$", "$$")
