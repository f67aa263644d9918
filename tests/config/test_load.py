from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from spendtop.config.load import Loaded, load
from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.errors import ConfigError, ExitCode, NoPermission
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Rate
from spendtop.sources.settings import SECTIONS, HeliconeSettings, IngestSettings, OpenAISettings
from tests.config.conftest import LoadText

EXAMPLE = """
[server]
host = "127.0.0.1"
port = 8000
public_url = ""                    # https address under which a tunnel or proxy reaches us
api_key = ""                       # admin API; empty = local use only (section 5)
ingest_keys = { default = "" }     # named secrets for /ingest, /litellm, /v1/traces
allowed_origins = []               # CORS; none by default
rate_limit = { rpm = 600, burst = 600, exempt = ["/ping", "/health"] }
ingest_rate_limit = { rpm = 6000, burst = 6000 }
[database]
url = "sqlite:///~/.local/share/spendtop/spendtop.db"   # or postgresql+psycopg://... (own schema "spendtop")
[helicone]
api_key = ""
webhook_secrets = []
base_url = "https://api.helicone.ai"
poll_every = "5m"
backfill = "30d"
allow_unsigned = false
[ingest]
default_provider = "openai"
token_length = 22
max_age = "35d"
[openai]
admin_key = ""
base_url = "https://api.openai.com"
poll_every = "15m"
billing_page = "same_lag"
epoch = 2026-11-01
[anthropic]
admin_key = ""
base_url = "https://api.anthropic.com"
poll_every = "15m"
[[account]]
name = "openai"
provider = "openai"
low_balance = 10.00
notify = ["ops"]
[[account]]
name = "router"
provider = "openrouter"
key = "env:OPENROUTER_KEY"
poll_every = "5m"
[[limit]]
name = "daily"
window = "day"
usd = 100
warn = [0.5, 0.8]
notify = ["ops"]
[[limit]]
name = "each user"
each = "user"
window = "day"
usd = 50
where = "-model:gpt-4o-mini"
[[limit]]
name = "one request"
window = "request"
usd = 10
[[channel]]
name = "ops"
url = "env:SLACK_WEBHOOK_URL"
min_severity = "warning"
[prices."acme-private-7b"]
input = 0.20
output = 0.80
cache_read = 0.02
[pricing]
hook = "./costs.py:cost"
[retention]
bodies = "30d"
requests = "400d"
[privacy]
bodies = "redact"
[time]
zone = "Europe/Berlin"
day_starts = "00:00"
week_starts = "monday"
[ui]
theme = "spendtop-dark"
keymap = {}
"""
ENVIRON = {
    "OPENROUTER_KEY": "sk-or-v1-CANARY",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T0/B0/CANARY",
}


@pytest.fixture
def example(folder: Path, load_text: LoadText) -> Loaded:
    (folder / "costs.py").write_text("")
    return load_text(EXAMPLE, environ=ENVIRON)


def test_the_documented_example_is_accepted_with_its_values(folder: Path, example: Loaded) -> None:
    settings = example.settings
    daily, each_user, one_request = settings.limits
    assert (daily.usd, daily.warn, daily.notify) == (Usd.of(100), (0.5, 0.8), ("ops",))
    assert (each_user.each, each_user.where, each_user.warn, each_user.notify) == (
        "user",
        "-model:gpt-4o-mini",
        (0.8,),
        None,
    )
    assert one_request.window == "request"
    assert [account.name for account in settings.accounts] == ["openai", "router"]
    assert settings.accounts[1].key.get_secret_value() == ENVIRON["OPENROUTER_KEY"]
    assert settings.channels[0].url.get_secret_value() == ENVIRON["SLACK_WEBHOOK_URL"]
    assert settings.prices["acme-private-7b"].rates == {
        "input_tokens": Rate.per_million(Decimal("0.20")),
        "output_tokens": Rate.per_million(Decimal("0.80")),
        "cache_read_tokens": Rate.per_million(Decimal("0.02")),
    }
    assert settings.pricing.hook == f"{folder / 'costs.py'}:cost"
    assert settings.database.url.get_secret_value() == f"sqlite:///{Path.home()}/.local/share/spendtop/spendtop.db"
    assert settings.server.ingest_keys == {}
    assert settings.section(HeliconeSettings).poll_every == 5 * MINUTE
    assert settings.section(OpenAISettings).epoch is not None
    assert settings.time.calendar.zone == "Europe/Berlin"
    assert example.warnings == ()


def test_nothing_that_is_loaded_shows_a_secret(example: Loaded) -> None:
    assert "CANARY" not in repr(example) + str(example.settings) + repr(example.settings.channels[0].url)


def test_an_empty_file_and_no_file_mean_defaults(folder: Path, load_text: LoadText) -> None:
    without = load(sections=SECTIONS, environ={}, folder=folder)
    assert without.path is None
    empty = load_text("")
    assert empty.settings == without.settings
    assert empty.path == folder / "spendtop.toml"
    settings = without.settings
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert (settings.retention.bodies, settings.retention.requests) == (30 * DAY, 400 * DAY)
    assert settings.section(IngestSettings).max_age == 35 * DAY
    assert settings.database.url.get_secret_value().endswith("xdg/data/spendtop/spendtop.db")


def test_a_byte_order_mark_is_no_error(load_text: LoadText) -> None:
    assert load_text("\ufeff[server]\nport = 1").settings.server.port == 1


def test_the_file_is_looked_up_in_the_documented_order(folder: Path, tmp_path: Path) -> None:
    def port(path: Path | None = None, **environ: str) -> int:
        return load(path, sections=SECTIONS, environ=environ, folder=folder).settings.server.port

    user = tmp_path / "xdg" / "config" / "spendtop" / "spendtop.toml"
    user.parent.mkdir(parents=True)
    for number, file in enumerate([user, folder / "spendtop.toml", tmp_path / "env.toml", tmp_path / "asked.toml"], 1):
        file.write_text(f"[server]\nport = {number}")
    assert port(tmp_path / "asked.toml", SPENDTOP_CONFIG=str(tmp_path / "env.toml")) == 4
    assert port(SPENDTOP_CONFIG=str(tmp_path / "env.toml")) == 3
    assert port() == 2
    (folder / "spendtop.toml").unlink()
    assert port() == 1


def test_each_layer_wins_over_the_one_below(folder: Path, load_text: LoadText) -> None:
    (folder / ".env").write_text("INGEST_KEY=0123456789abcdef\nHOST=10.0.0.1\nPORT=1\nAPI_KEY=0123456789abcdef\n")
    (folder / ".env").chmod(0o600)
    loaded = load_text(
        "[server]\nhost = '10.0.0.2'\nport = 2",
        environ={"SPENDTOP_SERVER__PORT": "3", "SPENDTOP_SERVER__RATE_LIMIT__RPM": "33"},
        overrides={"server": {"port": 4, "host": None}},
    )
    server = loaded.settings.server
    assert (server.host, server.port) == ("10.0.0.2", 4)
    assert (server.rate_limit.rpm, server.rate_limit.exempt) == (33, ("/ping", "/health"))
    assert dict(loaded.origins) == {
        "server.ingest_keys.default": ".env INGEST_KEY",
        "server.host": "spendtop.toml:2",
        "server.port": "command line",
        "server.api_key": ".env API_KEY",
        "server.rate_limit.rpm": "environment SPENDTOP_SERVER__RATE_LIMIT__RPM",
    }
    assert loaded.warnings == ()


def test_origins_of_listed_tables_go_by_name(load_text: LoadText) -> None:
    loaded = load_text('[[limit]]\nname = "each user"\nusd = 1\nwindow = "day"\nwarn = [0.5]')
    assert dict(loaded.origins) == {
        'limit."each user".name': "spendtop.toml:2",
        'limit."each user".usd': "spendtop.toml:3",
        'limit."each user".window': "spendtop.toml:4",
        'limit."each user".warn': "spendtop.toml:5",
    }


def test_a_file_limit_replaces_an_old_one_of_its_name_and_joins_the_others(folder: Path, load_text: LoadText) -> None:
    (folder / ".env").write_text("HOURLY_SPEND_LIMIT=5\nDAILY_SPEND_LIMIT=50\n")
    loaded = load_text('[[limit]]\nname = "daily"\nwindow = "24h"\nusd = 7\nwarn = [0.9]')
    assert [(limit.name, limit.window, limit.usd) for limit in loaded.settings.limits] == [
        ("hourly", "1h", Usd.of(5)),
        ("daily", "24h", Usd.of(7)),
    ]
    assert loaded.origins["limit.hourly.usd"] == ".env HOURLY_SPEND_LIMIT"
    assert loaded.origins["limit.daily.usd"] == "spendtop.toml:4"


@pytest.mark.replaces("credit/account")
def test_an_admin_key_makes_the_account_by_itself(load_text: LoadText) -> None:
    (account,) = load_text("[openai]\nadmin_key = 'sk-admin-x'").settings.accounts
    assert (account.name, account.provider, account.low_balance) == ("openai", "openai", Usd.of(10))
    (declared,) = load_text(
        "[openai]\nadmin_key = 'k'\n[[account]]\nname = 'mine'\nprovider = 'openai'\n"
    ).settings.accounts
    assert declared.name == "mine"


def test_empty_secrets_count_as_unset(load_text: LoadText) -> None:
    loaded = load_text(
        "[server]\napi_key = 'env:EMPTY'\ningest_keys = { a = '', b = ' ' }\n[helicone]\nwebhook_secrets = ['', 'x']",
        environ={"EMPTY": ""},
    )
    assert not loaded.settings.server.api_key
    assert loaded.settings.server.ingest_keys == {}
    assert [secret.get_secret_value() for secret in loaded.settings.section(HeliconeSettings).webhook_secrets] == ["x"]


def test_a_secret_file_lies_beside_the_configuration(folder: Path, load_text: LoadText) -> None:
    (folder / "key").write_text("from-a-file\n")
    loaded = load_text("[server]\napi_key = 'file:key'")
    assert loaded.settings.server.api_key.get_secret_value() == "from-a-file"


SECRET_LINES = [
    "[server]\napi_key = 'literal'",
    "[server]\ningest_keys = { a = 'literal' }",
    "[helicone]\nwebhook_secrets = ['literal']",
    "[database]\nurl = 'postgresql://u:literal@h/db'",
    "[[channel]]\nname = 'a'\nurl = 'slack://T/B/X'",
    "[[channel]]\nname = 'a'\nurl = 'mailto://u:pw@h?to=x@y.z'",
    "[[account]]\nname = 'a'\nprovider = 'openai'\nkey = 'literal'",
]
HARMLESS_LINES = [
    "[server]\napi_key = ''\nport = 1",
    "[server]\napi_key = 'env:KEY'",
    "[database]\nurl = 'postgresql://u@h/db'",
    "[[channel]]\nname = 'a'\nurl = 'json://127.0.0.1:9/x'",
    "[[channel]]\nname = 'a'\nurl = 'mailto://mail.example:25?from=a@x.y&to=x@y.z'",
]


@pytest.mark.parametrize("text", SECRET_LINES)
def test_a_file_with_secrets_must_be_closed_to_others(folder: Path, text: str) -> None:
    file = folder / "spendtop.toml"
    file.write_text(text)
    file.chmod(0o640)
    with pytest.raises(NoPermission, match=r"chmod 600 .*spendtop\.toml") as caught:
        load(sections=SECTIONS, environ={}, folder=folder)
    assert caught.value.exit_code == ExitCode.NO_PERMISSION
    assert "literal" not in str(caught.value)
    file.chmod(0o600)
    assert load(sections=SECTIONS, environ={}, folder=folder).path == file


def test_a_credential_of_systemd_may_look_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "spendtop.toml"
    file.write_text(SECRET_LINES[0])
    file.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert load(sections=SECTIONS, environ={}, folder=folder).path == file


@pytest.mark.parametrize("text", HARMLESS_LINES)
def test_a_file_without_literal_secrets_may_be_open(folder: Path, text: str) -> None:
    file = folder / "spendtop.toml"
    file.write_text(text)
    file.chmod(0o644)
    assert load(sections=SECTIONS, environ={"KEY": "x"}, folder=folder).path == file


def test_a_file_with_secrets_must_not_be_replaceable_by_anybody(folder: Path) -> None:
    file = folder / "spendtop.toml"
    file.write_text(SECRET_LINES[0])
    file.chmod(0o600)
    folder.chmod(0o777)
    with pytest.raises(NoPermission, match="chmod o-w"):
        load(sections=SECTIONS, environ={}, folder=folder)


def test_a_missing_file_that_was_asked_for_is_an_error_with_a_remedy(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file nowhere\.toml; .*spendtop init --config") as caught:
        load(Path("nowhere.toml"), sections=SECTIONS, environ={}, folder=folder)
    assert caught.value.exit_code == ExitCode.CONFIG


def test_files_that_are_no_configuration_are_refused(folder: Path) -> None:
    file = folder / "spendtop.toml"
    file.write_bytes(b"# ok\n\xff")
    with pytest.raises(ConfigError, match=r"spendtop\.toml:2: is not UTF-8"):
        load(sections=SECTIONS, environ={}, folder=folder)
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        load(sections=SECTIONS, environ={}, folder=folder)
    file.write_bytes(b"a = " + b"[" * 5000 + b"]" * 5000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load(sections=SECTIONS, environ={}, folder=folder)
    with pytest.raises(ConfigError, match="cannot read"):
        load(folder, sections=SECTIONS, environ={}, folder=folder)
