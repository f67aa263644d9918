"""`spendtop agents connect`: the settings by which a coding agent exports its calls to this collector."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from spendtop.cli.options import Options, load_readable
from spendtop.cli.spending.tokens import client_url
from spendtop.cli.tables import say
from spendtop.collector.process.store_lock import places
from spendtop.config.file_edit import read_text, replace_private
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.config.toml import pairs
from spendtop.domain.errors import CannotWrite, ExitCode, UsageError
from spendtop.domain.shell_words import shell_word
from spendtop.services.stores.presence import running_collector
from spendtop.store.engine import Store
from spendtop.store.files import locate

KEY_TO_PASTE = "YOUR_INGEST_KEY"


class AgentSettingsFile(Struct, frozen=True):
    """Where an agent keeps its settings, and how they have to be."""

    place: str
    """Below the home folder."""
    values: Callable[[str, str], dict[str, Any]]
    """The settings for a collector's address and an ingest key."""

    @property
    def is_toml(self) -> bool:
        return self.place.endswith(".toml")


def _claude_code(url: str, key: str) -> dict[str, Any]:
    return {
        "env": {
            "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{url}/v1/logs",
            "OTEL_EXPORTER_OTLP_HEADERS": f"X-Ingest-Key={key}",
        }
    }


def _codex(url: str, key: str) -> dict[str, Any]:
    http = {"endpoint": f"{url}/v1/logs", "protocol": "json", "headers": {"X-Ingest-Key": key}}
    return {"otel": {"log_user_prompt": False, "exporter": {"otlp-http": http}}}


def _gemini_cli(url: str, key: str) -> dict[str, Any]:
    return {
        "telemetry": {
            "enabled": True,
            "target": "local",
            "otlpEndpoint": url,
            "otlpProtocol": "http",
            "logPrompts": False,
        }
    }


FILES: Mapping[str, AgentSettingsFile] = {
    "claude-code": AgentSettingsFile(".claude/settings.json", _claude_code),
    "codex": AgentSettingsFile(".codex/config.toml", _codex),
    "gemini-cli": AgentSettingsFile(".gemini/settings.json", _gemini_cli),
}
"""The agents that can export, by name."""
_BESIDE = {"gemini-cli": "Set in its environment: OTEL_EXPORTER_OTLP_HEADERS=X-Ingest-Key={key}"}


def run(options: Options) -> int:
    settings = load_readable(options).settings
    name = options.arguments.name
    file, url = FILES[name], _url(settings)
    path = Path.home() / file.place
    if not options.arguments.write:
        say(f"For {path}, with the ingest key in place of {KEY_TO_PASTE} (ingest_keys under [server]):\n")
        say(_text(file, file.values(url, KEY_TO_PASTE)))
        if name in _BESIDE:
            say(_BESIDE[name].format(key=KEY_TO_PASTE))
        command = f"spendtop agents connect {shell_word(name)} --write"
        say(f"\n`{command}` writes it there, and keeps that of before as {path.name}.bak.")
        return ExitCode.OK
    keys = settings.server.ingest_keys
    if not keys:
        raise UsageError("No ingest key is set yet. Name one under ingest_keys in [server], and try again.")
    key = next(iter(keys.values())).get_secret_value()
    _write(path, file, file.values(url, key))
    say(f"{path} is written; {name} exports its calls to {url} from its next start on.")
    if name in _BESIDE:
        say(_BESIDE[name].format(key=KEY_TO_PASTE))
    return ExitCode.OK


def _url(settings: Settings) -> str:
    database, _ = locate(settings.database.url.get_secret_value())
    held = running_collector(places(Store(database), data_folder()).holder)
    return client_url(settings, held).rstrip("/")


def _text(file: AgentSettingsFile, values: dict[str, Any]) -> str:
    if not file.is_toml:
        return json.dumps(values, indent=2)
    return "\n".join(line for name, table in values.items() for line in (f"[{name}]", *pairs(table)))


def _write(path: Path, file: AgentSettingsFile, values: dict[str, Any]) -> None:
    """Put the settings into the file, all others and its comments as they are. Raises UsageError where that is not
    safe, and CannotWrite."""
    try:
        before = read_text(path) if path.exists() else ""
        after = _toml_with(before, file, values) if file.is_toml else _json_with(before, values)
        if path.exists():
            shutil.copy2(path, path.with_name(f"{path.name}.bak"))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        replace_private(path, after)
    except (OSError, UnicodeDecodeError) as failure:
        raise CannotWrite(f"{path} cannot be written: {failure}. Paste what is printed without --write.") from None
    except ValueError:
        raise UsageError(
            f"{path} is written in a way that is not edited safely. Paste what is printed without --write."
        ) from None


def _json_with(before: str, values: dict[str, Any]) -> str:
    known = json.loads(before or "{}")
    if not isinstance(known, dict) or any(not isinstance(known.get(name, {}), dict) for name in values):
        raise ValueError("no object")
    merged = {**known, **{name: {**known.get(name, {}), **table} for name, table in values.items()}}
    return f"{json.dumps(merged, indent=2, ensure_ascii=False)}\n"


def _toml_with(before: str, file: AgentSettingsFile, values: dict[str, Any]) -> str:
    known = tomllib.loads(before)
    if known.keys() & values.keys():
        raise ValueError("such a table is there")
    gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
    after = f"{before}{gap}{_text(file, values)}\n"
    if tomllib.loads(after) != {**known, **values}:
        raise ValueError("another meaning")
    return after
