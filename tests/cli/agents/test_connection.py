from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from spendtop.cli.agents.connection import FILES
from spendtop.domain.errors import ExitCode
from tests.cli.conftest import Cli, write_config

KEY = "canary-key-that-is-long-enough"


@pytest.fixture(autouse=True)
def _configured() -> None:
    write_config(f'[server]\nport = 9000\ningest_keys = {{ apps = "{KEY}" }}\n')


def in_home(agent: str) -> Path:
    path = Path.home() / FILES[agent].place
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("agent", FILES)
def test_settings_are_printed_without_the_key_and_nothing_is_written(cli: Cli, agent: str) -> None:
    said = cli("agents", "connect", agent)
    assert (said.code, said.err) == (0, "")
    assert "http://127.0.0.1:9000" in said.out and "YOUR_INGEST_KEY" in said.out and KEY not in said.out
    assert not in_home(agent).exists()


@pytest.mark.parametrize(("agent", "other"), [("claude-code", "env"), ("gemini-cli", "telemetry")])
def test_written_they_stand_beside_all_others(cli: Cli, agent: str, other: str) -> None:
    path = in_home(agent)
    path.write_text(json.dumps({"theme": "dark", other: {"MINE": "1"}}))
    assert cli("agents", "connect", agent, "--write").code == 0
    written = json.loads(path.read_text())
    assert (written["theme"], written[other]["MINE"]) == ("dark", "1")
    assert len(written[other]) > 4
    assert json.loads(path.with_name("settings.json.bak").read_text()) == {"theme": "dark", other: {"MINE": "1"}}
    assert path.stat().st_mode & 0o777 == 0o600


def test_comments_of_codex_stay(cli: Cli) -> None:
    path = in_home("codex")
    path.write_text('# mine\nmodel = "gpt-5.4"  # good\n')
    assert cli("agents", "connect", "codex", "--write").code == 0
    assert path.read_text().startswith('# mine\nmodel = "gpt-5.4"  # good\n\n[otel]\n')
    http = tomllib.loads(path.read_text())["otel"]["exporter"]["otlp-http"]
    assert http == {
        "endpoint": "http://127.0.0.1:9000/v1/logs",
        "protocol": "json",
        "headers": {"X-Ingest-Key": KEY},
    }
    again = cli("agents", "connect", "codex", "--write")
    assert (again.code, "not edited safely" in again.err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("content", ["// a comment\n{}", "[]", '{"env": 5}'])
def test_what_cannot_be_edited_safely_is_left(cli: Cli, content: str) -> None:
    path = in_home("claude-code")
    path.write_text(content)
    said = cli("agents", "connect", "claude-code", "--write")
    assert (said.code, "not edited safely" in said.err, KEY in said.err) == (ExitCode.USAGE, True, False)
    assert path.read_text() == content


def test_without_an_ingest_key_nothing_is_written(cli: Cli) -> None:
    write_config("[server]\nport = 9000\n")
    said = cli("agents", "connect", "claude-code", "--write")
    assert (said.code, "ingest_keys" in said.err) == (ExitCode.USAGE, True)
    assert not in_home("claude-code").exists()
