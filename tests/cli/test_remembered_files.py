"""A store that was configured before, and commands that find a file, another one, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.cli.options import Options, load_settings
from spendtop.config.load import Loaded
from spendtop.config.paths import config_file
from spendtop.domain.errors import ConfigError, UsageError
from spendtop.store.engine import Store
from tests.cli.conftest import Cli, remember, write_config

BEFORE, OTHER = "[server]\nport = 1\n", "[server]\nport = 2\n"


@pytest.fixture
def project(tmp_path: Path, home_store: Store) -> Path:
    """A folder whose file configured the user's store."""
    folder = tmp_path / "my project"
    folder.mkdir()
    file = folder / "spendtop.toml"
    file.touch(mode=0o600)
    file.write_text(BEFORE)
    remember(home_store, file)
    return folder


def port(**words: object) -> int:
    return load_settings(Options(**words)).settings.server.port  # type: ignore[arg-type]


def own_file(text: str) -> Path:
    file = config_file()
    file.parent.mkdir(parents=True)
    file.touch(mode=0o600)
    file.write_text(text)
    return file


def test_where_no_file_is_found_the_one_that_configured_the_store_counts_and_is_named_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert port() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1 and f"{project}/spendtop.toml, which configured this store" in said.err


@pytest.mark.parametrize("words", [["check"], ["alert", "list"], ["spend"], ["limit", "list"], ["token", "list"]])
def test_every_command_goes_by_it(cli: Cli, project: Path, words: list[str]) -> None:
    assert str(project) in cli(*words).err
    (project / "spendtop.toml").write_text("[server]\nprot = 1\n")
    assert "did you mean" in cli("channel", "list").err


@pytest.mark.parametrize("chosen", ["asked for", "environment", "folder", "old names", "old names asked for"])
def test_a_file_that_was_chosen_wins(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], chosen: str
) -> None:
    words: dict[str, object] = {}
    match chosen:
        case "asked for":
            words = {"config": write_config(OTHER, "other.toml")}
        case "environment":
            monkeypatch.setenv("SPENDTOP_CONFIG", str(write_config(OTHER, "other.toml")))
        case "folder":
            write_config(OTHER)
        case "old names":
            write_config("INGEST_KEY=0123456789abcdef\nPORT=2\n", ".env")
        case _:
            words = {"env_file": write_config("PORT=2\n", "old.env")}
    assert port(**words) == 2
    assert capsys.readouterr().err == ""


def test_the_users_own_file_comes_after_the_one_that_configured_the_store(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = own_file(OTHER)
    assert port() == 1
    assert f"It comes before {own}" in capsys.readouterr().err
    (project / "spendtop.toml").unlink()
    assert port() == 2
    assert f"gone or cannot be read: taking {own}" in capsys.readouterr().err


def test_asking_for_the_users_own_file_is_a_choice(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert port(config=own_file(OTHER)) == 2
    assert capsys.readouterr().err == ""


def test_the_users_own_file_that_configured_the_store_goes_without_saying(
    home_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(home_store, own_file(OTHER))
    assert port() == 2
    assert capsys.readouterr().err == ""


def test_one_that_is_gone_ends_the_start_with_commands_to_run(cli: Cli, project: Path) -> None:
    (project / "spendtop.toml").rename(project / "away.toml")
    code, out, err = cli("channel", "list")
    assert (code, out) == (78, "")
    assert f"{project}/spendtop.toml" in err and "gone" in err
    assert f"spendtop init --config '{project}/spendtop.toml'" in err and "spendtop --no-config" in err


def test_one_that_cannot_be_read_ends_the_start_too(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spendtop.cli.remembered_files.os.access", lambda path, mode: False)
    assert cli("channel", "list").code == 78


def test_no_config_means_defaults(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(OTHER)
    own_file(OTHER)
    write_config("INGEST_KEY=0123456789abcdef\nPORT=2\n", ".env")
    loaded: Loaded = load_settings(Options(no_config=True))
    assert (loaded.settings.server.port, loaded.files.places) == (8000, ())
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageError, match="--no-config"):
        port(no_config=True, config=Path("spendtop.toml"))


def test_an_env_that_configured_the_store_counts_again_with_its_secrets_and_relative_paths(
    tmp_path: Path, home_store: Store
) -> None:
    project = tmp_path / "old project"
    project.mkdir()
    document, env_file = project / "spendtop.toml", project / ".env"
    for file in (document, env_file):
        file.touch(mode=0o600)
    document.write_text('[[channel]]\nname = "ops"\nurl = "env:OPS"\n')
    env_file.write_text("INGEST_KEY=0123456789abcdef\nOPS=json://127.0.0.1/ops\n")
    remember(home_store, document, env_file)
    settings = load_settings(Options()).settings
    assert settings.channels[0].url.get_secret_value() == "json://127.0.0.1/ops"
    assert list(settings.server.ingest_keys) == ["default"]
    env_file.unlink()
    with pytest.raises(ConfigError, match=r"\.env, which configured this store, is gone"):
        load_settings(Options())


def test_an_env_beside_the_file_that_came_later_counts_too(project: Path) -> None:
    env_file = project / ".env"
    env_file.touch(mode=0o600)
    env_file.write_text("INGEST_KEY=0123456789abcdef\n")
    assert list(load_settings(Options()).settings.server.ingest_keys) == ["default"]


def test_another_store_remembers_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert port(database_url="sqlite:///other.db") == 8000
    assert not Path("other.db").exists()
    assert capsys.readouterr().err == ""


def test_another_host_remembers_for_itself(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spendtop.cli.remembered_files.gethostname", lambda: "elsewhere")
    assert port() == 8000
