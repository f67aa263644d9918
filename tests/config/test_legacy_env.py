from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from apprise import Apprise

from spendtop.config.legacy_env import NAMES, hook_url, mail_channels
from spendtop.config.load import Loaded, load
from spendtop.config.settings import ChannelSettings
from spendtop.domain.errors import ConfigError
from spendtop.domain.money import Usd
from spendtop.sources.settings import SECTIONS, HeliconeSettings, IngestSettings, OpenAISettings

ALL_NAMES = """
HELICONE_API_KEY HELICONE_WEBHOOK_SECRET HOURLY_SPEND_LIMIT
DAILY_SPEND_LIMIT MONTHLY_SPEND_LIMIT EMAIL_USERNAME EMAIL_PASSWORD ALERT_EMAIL_TO SMTP_SERVER SMTP_PORT SMTP_USERNAME
SMTP_PASSWORD SMTP_EMAIL ALERT_RECIPIENT_EMAIL SLACK_WEBHOOK_URL DISCORD_WEBHOOK_URL DATABASE_PATH DATABASE_URL
DB_FILENAME REDIS_URL HOST PORT SERVER_PORT NGROK_AUTHTOKEN DEBUG ENVIRONMENT ENV API_KEY INGEST_KEY ALLOWED_ORIGINS
RATE_LIMIT_RPM RATE_LIMIT_BURST RATE_LIMIT_EXEMPT INGEST_RPM INGEST_BURST OPENAI_MODEL PROVIDER TRACKING_TOKEN_LENGTH
OPENAI_ADMIN_KEY
"""


def loaded(folder: Path, *lines: str, **environ: str) -> Loaded:
    """The configuration with these lines as the folder's `.env`."""
    file = folder / ".env"
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    return load(sections=SECTIONS, environ=environ, folder=folder)


@pytest.mark.replaces("monitor/env")
def test_every_old_name_is_understood() -> None:
    assert set(ALL_NAMES.split()) == NAMES


@pytest.mark.replaces("monitor/env")
def test_an_old_env_file_works_unchanged(folder: Path) -> None:
    result = loaded(
        folder,
        "HELICONE_API_KEY=sk-helicone-0123456789",
        "HELICONE_WEBHOOK_SECRET='whsec_0123456789'  # from the dashboard",
        "export HOURLY_SPEND_LIMIT=5.00 # dollars",
        "DAILY_SPEND_LIMIT=50",
        "MONTHLY_SPEND_LIMIT=$1,000.50",
        "OPENAI_MODEL=gpt-4o",
        "PROVIDER=azure",
        "TRACKING_TOKEN_LENGTH=30",
        "OPENAI_ADMIN_KEY=sk-admin-0123456789",
        "HOST=0.0.0.0",
        "SERVER_PORT=9000",
        "API_KEY=0123456789abcdef",
        "INGEST_KEY=fedcba9876543210",
        "ALLOWED_ORIGINS=https://a.example, https://b.example/ *",
        "RATE_LIMIT_RPM=10",
        "RATE_LIMIT_BURST=20",
        "RATE_LIMIT_EXEMPT=/ping,/metrics",
        "INGEST_RPM=30",
        "INGEST_BURST=40",
    )
    settings = result.settings
    helicone = settings.section(HeliconeSettings)
    assert helicone.api_key.get_secret_value() == "sk-helicone-0123456789"
    assert [secret.get_secret_value() for secret in helicone.webhook_secrets] == ["whsec_0123456789"]
    assert [(limit.name, limit.window, limit.usd) for limit in settings.limits] == [
        ("hourly", "1h", Usd.of(5)),
        ("daily", "day", Usd.of(50)),
        ("monthly", "month", Usd.of("1000.50")),
    ]
    assert {(limit.warn, limit.notify, limit.reserve) for limit in settings.limits} == {((0.8,), None, "model:gpt-4o")}
    ingest = settings.section(IngestSettings)
    assert (ingest.default_provider, ingest.token_length) == ("azure", 30)
    assert settings.section(OpenAISettings).admin_key
    assert [(account.name, account.low_balance) for account in settings.accounts] == [("openai", Usd.of(10))]
    server = settings.server
    assert (server.host, server.port) == ("0.0.0.0", 9000)
    assert server.api_key.get_secret_value() == "0123456789abcdef"
    assert server.ingest_keys["default"].get_secret_value() == "fedcba9876543210"
    assert server.allowed_origins == ("https://a.example", "https://b.example")
    assert (server.rate_limit.rpm, server.rate_limit.burst) == (10, 20)
    assert server.rate_limit.exempt == ("/ping", "/metrics")
    assert (server.ingest_rate_limit.rpm, server.ingest_rate_limit.burst) == (30, 40)
    assert {found.place for found in result.old_names} == {".env"}
    assert len(result.old_names) == 19
    assert result.origins["limit.monthly.usd"] == ".env MONTHLY_SPEND_LIMIT"


@pytest.mark.parametrize(
    "line", ["HELICONE_WEBHOOK_SECRET=x", "WEEKLY_SPEND_LIMIT=1", "INGEST_KEY=x", "OPENAI_ADMIN_KEY=x"]
)
def test_a_fingerprint_takes_the_folders_env_file(folder: Path, line: str) -> None:
    assert loaded(folder, line, "HOST=10.1.1.1").settings.server.host == "10.1.1.1"


def test_another_projects_env_file_is_never_taken(folder: Path) -> None:
    result = loaded(folder, "DATABASE_URL=postgres://u:p@h/theirs", "OPENAI_MODEL=gpt-4o", "PORT=1", "API_KEY=x")
    assert result.settings.server.port == 8000
    assert "theirs" not in result.settings.database.url.get_secret_value()
    assert (result.old_names, result.warnings, result.origins) == ((), (), {})


def test_a_file_that_is_asked_for_is_always_taken(folder: Path) -> None:
    (folder / "old.env").write_text("PORT=1234\nSPENDTOP_SERVER__HOST=10.2.2.2\n")
    result = load(sections=SECTIONS, env_file=Path("old.env"), environ={}, folder=folder)
    assert (result.settings.server.port, result.settings.server.host) == (1234, "10.2.2.2")
    assert result.origins["server.port"] == "old.env PORT"
    with pytest.raises(ConfigError, match=r"there is no file .*none\.env; give --env-file"):
        load(sections=SECTIONS, env_file=Path("none.env"), environ={}, folder=folder)


def test_the_process_environment_counts_only_with_the_switch(folder: Path) -> None:
    environ = {"HOURLY_SPEND_LIMIT": "5 # dollars", "PORT": '"77"', "API_KEY": "# nothing"}
    assert load(sections=SECTIONS, environ=environ, folder=folder).settings.limits == ()
    result = load(sections=SECTIONS, environ=environ | {"SPENDTOP_OLD_NAMES": "1"}, folder=folder)
    assert result.settings.limits[0].usd == Usd.of(5)
    assert result.settings.server.port == 77
    assert not result.settings.server.api_key
    assert result.origins["server.port"] == "environment PORT"


def test_the_process_environment_wins_over_the_env_file(folder: Path) -> None:
    assert loaded(folder, "HOURLY_SPEND_LIMIT=5", "PORT=1", SPENDTOP_OLD_NAMES="1", PORT="2").settings.server.port == 2


@pytest.mark.parametrize(
    "value",
    ["", "  ", "<your key>", "your_api_key", "your-key-here", "sk-...", "sk-xxxx", "changeme", "sk-your-key", "..."],
)
def test_blank_and_placeholder_values_are_unset_with_a_warning(folder: Path, value: str) -> None:
    result = loaded(folder, "HOURLY_SPEND_LIMIT=5", f"API_KEY={value}", f"DISCORD_WEBHOOK_URL=https://d/{value}...")
    assert not result.settings.server.api_key
    assert result.settings.channels == ()
    assert "blank or placeholder values count as unset: API_KEY, DISCORD_WEBHOOK_URL" in result.warnings


def test_placeholders_are_judged_item_by_item(folder: Path) -> None:
    result = loaded(
        folder,
        "HOURLY_SPEND_LIMIT=5",
        "ALLOWED_ORIGINS=https://your-domain.com,https://dash.acme.io",
        "RATE_LIMIT_EXEMPT=['/ping', '/your-path']",
        "EMAIL_USERNAME=your-name.smith@acme.io",
        "EMAIL_PASSWORD=secret",
        "ALERT_EMAIL_TO=<your mail>; ops@acme.io",
    )
    server = result.settings.server
    assert (server.allowed_origins, server.rate_limit.exempt) == (("https://dash.acme.io",), ("/ping",))
    (channel,) = result.settings.channels
    url = channel.url.get_secret_value()
    assert url.startswith("mailtos://your-name.smith%40acme.io:")
    assert "ops%40acme.io" in url
    assert "placeholders are left out of: ALERT_EMAIL_TO, ALLOWED_ORIGINS, RATE_LIMIT_EXEMPT" in result.warnings


def test_a_list_of_placeholders_alone_is_unset(folder: Path) -> None:
    result = loaded(folder, "HOURLY_SPEND_LIMIT=5", "ALLOWED_ORIGINS=https://your-domain.com, https://your-app.com")
    assert result.settings.server.allowed_origins == ()
    assert "blank or placeholder values count as unset: ALLOWED_ORIGINS" in result.warnings


OVERLOOKED = (
    "the old names DAILY_SPEND_LIMIT, HELICONE_WEBHOOK_SECRET in the environment do not count;"
    " set SPENDTOP_OLD_NAMES=1 beside them to take them"
)


@pytest.mark.parametrize(
    ("env_file", "document", "switch", "said"),
    [
        ([], "", {}, [OVERLOOKED]),
        (["DAILY_SPEND_LIMIT=5", "HELICONE_WEBHOOK_SECRET=whsec_0123456789"], "", {}, []),
        ([], "", {"SPENDTOP_OLD_NAMES": "1"}, []),
        ([], "", {"SPENDTOP_OLD_NAMES": "0"}, []),
        (["DAILY_SPEND_LIMIT=5"], '[helicone]\nwebhook_secrets = ["env:HELICONE_WEBHOOK_SECRET"]\n', {}, []),
    ],
    ids=["alone", "in .env too", "taken", "refused", "named"],
)
def test_old_names_in_the_environment_are_seen_unless_they_count(
    folder: Path, env_file: list[str], document: str, switch: dict[str, str], said: list[str]
) -> None:
    environ = {"PORT": "1", "MONTHLY_SPEND_LIMIT": "<limit>", "MY_SPEND_LIMIT": "1", "DAILY_SPEND_LIMIT": "5"}
    environ |= {"HELICONE_WEBHOOK_SECRET": "whsec_0123456789", **switch}
    (folder / "spendtop.toml").write_text(document)
    (folder / "spendtop.toml").chmod(0o600)
    result = loaded(folder, *env_file, **environ)
    assert [warning for warning in result.warnings if "environment" in warning] == said


def test_a_limit_of_zero_is_no_limit(folder: Path) -> None:
    result = loaded(folder, "HOURLY_SPEND_LIMIT=0", "DAILY_SPEND_LIMIT=0.00")
    assert result.settings.limits == ()
    assert [found.effect for found in result.old_names] == ["no limit: it is 0"] * 2


@pytest.mark.parametrize(
    ("line", "place"), [("HOURLY_SPEND_LIMIT=lots", "[limit] usd"), ("PORT=http", "[server] port")]
)
def test_a_wrong_old_value_names_its_variable(folder: Path, line: str, place: str) -> None:
    with pytest.raises(ConfigError, match="must be") as caught:
        loaded(folder, "INGEST_KEY=0123456789abcdef", line)
    assert str(caught.value).startswith(f".env {line.partition('=')[0]}: {place}")


def test_open_modes_and_short_keys_only_warn(folder: Path) -> None:
    (folder / ".env").write_text("INGEST_KEY=short")
    (folder / ".env").chmod(0o644)
    result = load(sections=SECTIONS, environ={}, folder=folder)
    assert result.settings.server.ingest_keys["default"].get_secret_value() == "short"
    assert any("chmod 600" in warning for warning in result.warnings)
    assert any("server.ingest_keys.default is short" in warning for warning in result.warnings)


def test_an_ingest_key_without_a_port_keeps_that_services_port(folder: Path) -> None:
    assert loaded(folder, "INGEST_KEY=x").settings.server.port == 5001
    assert loaded(folder, "INGEST_KEY=x", "PORT=8123").settings.server.port == 8123
    assert loaded(folder, "HELICONE_WEBHOOK_SECRET=x").settings.server.port == 8000


@pytest.mark.parametrize(
    ("lines", "url"),
    [
        (["DB_FILENAME=c.db"], "sqlite:///{folder}/c.db"),
        (["DB_FILENAME=c.db", "DATABASE_PATH=./data/b.db"], "sqlite:///{folder}/data/b.db"),
        (["DATABASE_PATH=/abs/b.db"], "sqlite:////abs/b.db"),
        (["DATABASE_PATH=b.db", "DATABASE_URL=sqlite:///a.db"], "sqlite:///{folder}/a.db"),
        (["DATABASE_URL=postgres://u:p@h/db"], "postgresql+psycopg://u:p@h/db"),
        (["DATABASE_URL=postgresql+asyncpg://u@h/db"], "postgresql+psycopg://u@h/db"),
        (["DATABASE_URL=sqlite+aiosqlite:///a.db"], "sqlite:///{folder}/a.db"),
    ],
)
def test_database_names_have_their_order(folder: Path, lines: list[str], url: str) -> None:
    result = loaded(folder, "HOURLY_SPEND_LIMIT=5", *lines)
    assert result.settings.database.url.get_secret_value() == url.format(folder=folder)


def test_a_database_that_cannot_be_used_is_refused_without_its_password(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.env DATABASE_URL: cannot use mysql://") as caught:
        loaded(folder, "HOURLY_SPEND_LIMIT=5", "DATABASE_URL=mysql://u:CANARY@h/db")
    assert "CANARY" not in str(caught.value)


@pytest.mark.replaces("monitor/mail")
def test_mail_names_make_one_channel_for_each_recipient(folder: Path) -> None:
    result = loaded(
        folder,
        "HOURLY_SPEND_LIMIT=5",
        "EMAIL_USERNAME=bob@gmail.com",
        "EMAIL_PASSWORD='p@ss:w/ rd'",
        "ALERT_EMAIL_TO=a@x.example, b@x.example",
        "ALERT_RECIPIENT_EMAIL=a@x.example",
    )
    assert [channel.name for channel in result.settings.channels] == ["email", "email-2"]
    url = result.settings.channels[1].url.get_secret_value()
    assert url.startswith("mailtos://bob%40gmail.com:p%40ss%3Aw%2F%20rd@smtp.gmail.com:587?")
    assert parse_qs(urlsplit(url).query) == {
        "smtp": ["smtp.gmail.com"],
        "from": ["bob@gmail.com"],
        "to": ["b@x.example"],
        "mode": ["starttls"],
    }


def test_mail_without_a_recipient_or_login_is_off_with_a_warning(folder: Path) -> None:
    nobody = loaded(folder, "HOURLY_SPEND_LIMIT=5", "EMAIL_USERNAME=b@x.example", "EMAIL_PASSWORD=x")
    assert nobody.settings.channels == ()
    assert any(warning.startswith("mail is off") for warning in nobody.warnings)
    no_login = loaded(folder, "HOURLY_SPEND_LIMIT=5", "ALERT_EMAIL_TO=b@x.example")
    assert no_login.settings.channels == ()
    assert any("needs a user and a password" in warning for warning in no_login.warnings)


@pytest.mark.replaces("monitor/chat")
def test_slack_and_discord_hooks_make_channels(folder: Path) -> None:
    slack = "https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnopqrstuvwx"
    discord = "https://discordapp.com/api/webhooks/123456/abcdef"
    result = loaded(folder, "HOURLY_SPEND_LIMIT=5", f"SLACK_WEBHOOK_URL={slack}", f"DISCORD_WEBHOOK_URL={discord}")
    assert {channel.name: channel.url.get_secret_value() for channel in result.settings.channels} == {
        "slack": slack,
        "discord": discord,
    }


def test_names_that_need_nothing_are_answered(folder: Path) -> None:
    result = loaded(folder, "HOURLY_SPEND_LIMIT=5", "REDIS_URL=redis://h", "DEBUG=1", "NGROK_AUTHTOKEN=x", "ENV=prod")
    effects = {found.name: found.effect for found in result.old_names}
    assert effects["REDIS_URL"].startswith("nothing needs it")
    assert effects["NGROK_AUTHTOKEN"] == "server.ngrok_authtoken"
    assert "--debug" in effects["DEBUG"]
    assert "/metrics" in effects["ENV"]


def test_references_find_the_variables_of_a_taken_env_file(folder: Path) -> None:
    (folder / "spendtop.toml").write_text("[server]\napi_key = 'env:ADMIN'")
    result = loaded(folder, "HOURLY_SPEND_LIMIT=5", "ADMIN=0123456789abcdef")
    assert result.settings.server.api_key.get_secret_value() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(result)


pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

GMAIL = {"EMAIL_USERNAME": "bob@gmail.com", "EMAIL_PASSWORD": "p@ss:w/", "ALERT_EMAIL_TO": "al@x.example"}


def as_mail(url: str) -> Any:
    """Apprise's own reading of a mail URL."""
    mail = Apprise.instantiate(url)
    assert type(mail).__name__ == "NotifyEmail"
    return mail


def test_a_gmail_login_reaches_apprise_unharmed() -> None:
    ((name, url),) = mail_channels(GMAIL)
    mail = as_mail(url)
    assert name == "email"
    assert (mail.user, mail.password, mail.smtp_host, mail.port) == ("bob@gmail.com", "p@ss:w/", "smtp.gmail.com", 587)
    assert (mail.secure_mode, mail.from_addr[1], mail.targets) == (
        "starttls",
        "bob@gmail.com",
        [(False, "al@x.example")],
    )


@pytest.mark.parametrize(
    ("server", "port", "mode"),
    [("mail.example.org", "587", "starttls"), ("mail.example.org", "465", "ssl"), ("127.0.0.1", "2525", "insecure")],
)
def test_the_connection_is_secured_as_the_port_asks(server: str, port: str, mode: str) -> None:
    values = {
        "SMTP_SERVER": server,
        "SMTP_PORT": port,
        "SMTP_USERNAME": "login",
        "SMTP_PASSWORD": "pw",
        "SMTP_EMAIL": "spend@corp.example",
        "ALERT_RECIPIENT_EMAIL": "ops@corp.example",
    }
    ((_, url),) = mail_channels(values)
    mail = as_mail(url)
    assert (mail.smtp_host, mail.port, mail.secure_mode) == (server, int(port), mode)
    assert (mail.user, mail.from_addr[1]) == ("login", "spend@corp.example")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "NotifySlack"),
        ("https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "NotifyDiscord"),
        ("https://canary.discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "NotifyDiscord"),
        ("http://127.0.0.1:9000/hook?a=b", "NotifyJSON"),
        ("https://chat.example.org/hooks/x", "NotifyJSON"),
    ],
)
def test_apprise_understands_every_hook(url: str, kind: str) -> None:
    made = hook_url(url, "text")
    assert type(Apprise.instantiate(made)).__name__ == kind
    ChannelSettings.model_validate({"name": "hook", "url": made})
