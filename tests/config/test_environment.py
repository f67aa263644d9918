from __future__ import annotations

from datetime import date

from spendtop.domain.clock import MINUTE
from spendtop.sources.settings import HeliconeSettings, OpenAISettings
from tests.config.conftest import LoadText


def test_variables_take_the_type_of_their_key(load_text: LoadText) -> None:
    settings = load_text(
        "",
        environ={
            "SPENDTOP_SERVER__HOST": "10.0.0.1",
            "SPENDTOP_SERVER__PORT": " 9000 ",
            "SPENDTOP_SERVER__INGEST_KEYS__CI": "0123456789abcdef",
            "SPENDTOP_SERVER__ALLOWED_ORIGINS": "https://a.example, https://b.example",
            "SPENDTOP_SERVER__INGEST_RATE_LIMIT": "{ rpm = 5 }",
            "SPENDTOP_HELICONE__WEBHOOK_SECRETS": '["a,b", "c"]',
            "SPENDTOP_HELICONE__ALLOW_UNSIGNED": "True",
            "SPENDTOP_HELICONE__POLL_EVERY": "7m",
            "SPENDTOP_OPENAI__EPOCH": "2026-11-01",
            "SPENDTOP_OPENAI__ADMIN_KEY": "env:OTHER",
            "OTHER": "sk-admin",
            "SPENDTOP_CONFIGURED": "not ours: no section",
        },
    ).settings
    server, helicone, openai = settings.server, settings.section(HeliconeSettings), settings.section(OpenAISettings)
    assert (server.host, server.port, server.allowed_origins) == (
        "10.0.0.1",
        9000,
        ("https://a.example", "https://b.example"),
    )
    assert list(server.ingest_keys) == ["ci"]
    assert (server.ingest_rate_limit.rpm, server.ingest_rate_limit.burst) == (5, 6000)
    assert [secret.get_secret_value() for secret in helicone.webhook_secrets] == ["a,b", "c"]
    assert (helicone.allow_unsigned, helicone.poll_every) == (True, 7 * MINUTE)
    assert (openai.epoch, openai.admin_key.get_secret_value()) == (date(2026, 11, 1), "sk-admin")


def test_the_command_line_wins_and_leaves_out_what_is_not_given(load_text: LoadText) -> None:
    loaded = load_text(
        "[server]\nhost = '10.0.0.1'",
        environ={"SPENDTOP_DATABASE__URL": "sqlite:////a.db"},
        overrides={"server": {"host": None, "port": 0}, "database": {"url": "sqlite:////b.db"}},
    )
    assert (loaded.settings.server.host, loaded.settings.server.port) == ("10.0.0.1", 0)
    assert loaded.settings.database.url.get_secret_value() == "sqlite:////b.db"
