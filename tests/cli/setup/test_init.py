from __future__ import annotations

import io
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from spendtop.cli.options import Options, load_settings
from spendtop.cli.setup import init
from spendtop.config.paths import config_file
from spendtop.sources.settings import HeliconeSettings
from spendtop.store.engine import Store
from tests.cli.conftest import Cli, remember, write_config


def test_a_commented_file_with_fresh_keys_is_written_for_this_user_only(cli: Cli) -> None:
    code, out, err = cli("init")
    assert (code, err) == (0, "")
    path = config_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    server = load_settings(Options()).settings.server
    keys = {server.api_key.get_secret_value(), server.ingest_keys["default"].get_secret_value()}
    assert len(keys) == 2 and all(len(key) >= 32 for key in keys)
    assert not any(key in out for key in keys)
    assert "# port = 8000" in path.read_text()
    path.unlink()
    cli("init")
    assert load_settings(Options()).settings.server.api_key.get_secret_value() not in keys


def test_it_says_what_helicone_needs_until_that_is_configured(cli: Cli) -> None:
    out = cli("init", "--port", "8123").out
    assert "leads to http://127.0.0.1:8123: put it into public_url" in out and "goes into webhook_secrets" in out
    Path(".env").write_text("HELICONE_WEBHOOK_SECRET=0123456789abcdef\n")
    config_file().unlink()
    assert "goes into webhook_secrets" not in cli("init", "--from-env").out


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_nothing_is_overwritten(cli: Cli, kind: str) -> None:
    path = Path("mine.toml")
    match kind:
        case "file":
            path.write_text("[server]")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("target")
    said = cli("init", "--config", "mine.toml")
    assert (said.code, said.out) == (2, "")
    assert "mine.toml exists" in said.err
    assert not Path("target").exists()


def test_a_place_that_cannot_be_written_is_named(cli: Cli) -> None:
    said = cli("init", "--config", "nowhere/mine.toml")
    assert said.code == 73 and "nowhere/mine.toml" in said.err


def test_the_command_line_goes_into_the_file(cli: Cli) -> None:
    cli("init", "--port", "8123", "--database-url", "sqlite:///here.db")
    values = tomllib.loads(config_file().read_text())
    assert (values["server"]["port"], values["database"]["url"]) == (8123, f"sqlite:///{Path('here.db').absolute()}")
    assert load_settings(Options(config=config_file())).settings.server.port == 8123


def test_it_can_be_written_into_this_folder(cli: Cli) -> None:
    said = cli("init", "--here", "--database-url", "sqlite:///here.db")
    assert "Wrote spendtop.toml" in said.out and "then `spendtop`." in said.out
    assert tomllib.loads(Path("spendtop.toml").read_text())["database"]["url"] == "sqlite:///here.db"
    assert not config_file().exists()


@pytest.mark.parametrize("winner", ["another name", "this folder", "remembered"])
def test_it_says_how_to_start_with_the_file_where_another_one_comes_first(
    cli: Cli, home_store: Store, winner: str
) -> None:
    words: tuple[str, ...] = ()
    match winner:
        case "another name":
            words = ("--config", "my own.toml")
        case "this folder":
            write_config("")
        case _:
            remember(home_store, write_config("", "other.toml"))
    path = "'my own.toml'" if words else str(config_file())
    assert f"Next: `spendtop check --config {path}`, then `spendtop --config {path}`." in cli("init", *words).out


OLD = """
HELICONE_WEBHOOK_SECRET=0123456789abcdef  # the old one
DAILY_SPEND_LIMIT=100
DISCORD_WEBHOOK_URL=https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz
DATABASE_PATH=spend.db
"""


def test_an_old_env_is_taken_over_as_it_is(cli: Cli) -> None:
    Path("old.env").touch(mode=0o600)
    Path("old.env").write_text(OLD)
    before = load_settings(Options(env_file=Path("old.env"))).settings
    code, out, _ = cli("init", "--from-env", "--env-file", "old.env")
    assert code == 0
    assert "DAILY_SPEND_LIMIT from old.env" in out and "abcdefghijklm" not in out
    after = load_settings(Options()).settings
    assert after.limits == before.limits and after.channels == before.channels and after.database == before.database
    assert after.section(HeliconeSettings) == before.section(HeliconeSettings)
    assert not after.server.api_key


def test_without_an_old_env_nothing_is_written(cli: Cli) -> None:
    assert cli("init", "--from-env").code == 2
    assert not config_file().exists()


def test_a_wrong_old_env_is_named_and_nothing_is_written(cli: Cli) -> None:
    Path(".env").write_text("DAILY_SPEND_LIMIT=lots")
    said = cli("init", "--from-env")
    assert said.code == 78 and "DAILY_SPEND_LIMIT" in said.err
    assert not config_file().exists()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_three_things_are_asked_until_they_are_usable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "getpass", lambda _question: "a-webhook-secret-of-mine")
    monkeypatch.setattr(sys, "stdin", _Terminal("much\n25\nslak://x\njson://127.0.0.1/\n"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, out, _ = cli("init")
    assert code == 0
    settings = load_settings(Options()).settings
    assert settings.section(HeliconeSettings).webhook_secrets[0].get_secret_value() == "a-webhook-secret-of-mine"
    assert [str(limit.usd) for limit in settings.limits] == ["$25.00"]
    assert [channel.name for channel in settings.channels] == ["ops"]
    assert "a-webhook-secret-of-mine" not in out
