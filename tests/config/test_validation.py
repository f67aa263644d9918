"""Settings of values of which some cannot be taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.config.config_files import find_files
from spendtop.config.load import Loaded, read_files
from spendtop.domain.errors import NoPermission
from spendtop.sources.settings import SECTIONS

FILE = """\
[server]
port = 9000
public_url = "nowhere"
[database]
url = "sqlite:////srv/mine.db"
[helicone]
api_key = "env:NOT_SET"
webhook_secrets = ["a-secret-0123456789", 5]
poll_every = "5m"
[[limit]]
name = "first"
window = "fortnight"
usd = 1
[[limit]]
name = "second"
window = "day"
usd = 2
[[limit]]
window = "day"
usd = 3
[[limit]]
name = "fourth"
window = "day"
usd = 4
wran = [0.5]
[[channel]]
name = "ops"
url = "json://127.0.0.1/"
[[account]]
name = "a"
provider = "router"
[prices.m]
input = 1
nonsense = 2
[unknown]
key = 1
"""


def read(folder: Path, text: str, **environ: str) -> Loaded:
    file = folder / "spendtop.toml"
    file.touch(mode=0o600)
    file.write_text(text)
    return read_files(find_files(None, None, folder, environ), sections=SECTIONS, environ=environ)


def test_what_can_be_taken_is_taken_and_everything_else_is_told(folder: Path) -> None:
    loaded = read(folder, FILE)
    settings = loaded.settings
    assert (settings.server.port, settings.server.public_url) == (9000, "")
    assert settings.database.url.get_secret_value() == "sqlite:////srv/mine.db"
    assert [limit.name for limit in settings.limits] == ["second"]
    assert [channel.name for channel in settings.channels] == ["ops"]
    assert settings.accounts == ()
    assert [int(str(problem).split(":")[1]) for problem in loaded.problems] == [3, 7, 8, 12, 18, 25, 31, 34, 35]
    assert not loaded.hides_store


@pytest.mark.parametrize(
    ("text", "environ", "hides"),
    [
        ('[database]\nurl = "mysql://x/y"\n', {}, True),
        ('[database]\nurl = "env:STORE"\n', {}, True),
        ("database = 5\n", {}, True),
        ('[database]\nurl = "mysql://x/y"\n', {"SPENDTOP_DATABASE__URL": "sqlite:///a.db"}, False),
        ("", {"SPENDTOP_DATABASE__URL": "mysql://x/y"}, True),
        ("[server]\nport = 'x'\n", {}, False),
        ("[database]\nurl = \n", {"SPENDTOP_DATABASE__URL": "sqlite:///a.db"}, False),
    ],
)
def test_it_is_known_whether_the_store_was_meant_to_be_another(
    folder: Path, text: str, environ: dict[str, str], hides: bool
) -> None:
    assert read(folder, text, **environ).hides_store is hides


def test_an_old_env_that_cannot_be_taken_hides_the_store_unless_the_file_names_it(folder: Path) -> None:
    (folder / ".env").write_text("INGEST_KEY=0123456789abcdef\nDATABASE_URL=mysql://x/y\n")
    assert read(folder, "[server]\nport = 9000\n").hides_store
    loaded = read(folder, '[server]\nport = 9000\n[database]\nurl = "sqlite:////srv/mine.db"\n')
    assert (loaded.hides_store, loaded.settings.server.port, len(loaded.problems)) == (False, 9000, 1)


def test_that_others_can_read_secrets_is_one_problem_among_others(folder: Path) -> None:
    read(folder, "")
    (folder / "spendtop.toml").chmod(0o644)
    loaded = read(folder, '[server]\napi_key = "a-secret-0123456789"\nport = "x"\n')
    assert loaded.settings.server.api_key.get_secret_value() == "a-secret-0123456789"
    assert [isinstance(problem, NoPermission) for problem in loaded.problems] == [False, True]


def test_nothing_that_is_told_holds_a_secret(folder: Path) -> None:
    assert "a-secret" not in repr(read(folder, FILE))
