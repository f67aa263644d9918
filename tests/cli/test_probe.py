from __future__ import annotations

import pytest

from spendtop.cli.options import Options, load_settings
from spendtop.cli.probe import Target, probe, targets
from tests.alerts.sinks import HttpSink, free_port
from tests.cli.conftest import Cli, write_config


def target_of(url: str) -> Target:
    write_config(f'[[channel]]\nname = "ops"\nurl = "{url}"\n')
    (target,) = targets(load_settings(Options()).settings)
    return target


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("json://127.0.0.1:8123/x", "127.0.0.1", 8123),
        ("jsons://example.org/x", "example.org", 443),
        ("mailto://mail.example.org:2525/?from=a@example.org&to=b@example.org", "mail.example.org", 2525),
        ("mailtos://u:p@example.org?smtp=smtp.example.org&to=b@example.org", "smtp.example.org", 587),
        ("https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx", "hooks.slack.com", 443),
        ("https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz", "discord.com", 443),
        ("tgram://123456789:abcdefghijklmnopqrstuvwxyz0123456789/12345", "api.telegram.org", 443),
        ("ntfy://topic", None, 0),
    ],
)
def test_a_channel_is_reached_where_apprise_sends(url: str, host: str | None, port: int) -> None:
    assert target_of(url) == Target("channel ops", host, port)


def test_providers_are_reached_once_they_have_a_key() -> None:
    write_config('[helicone]\nbase_url = "http://127.0.0.1:81"\n[openai]\nadmin_key = "sk-admin-0123456789abcdef"\n')
    assert list(targets(load_settings(Options()).settings)) == [Target("openai", "api.openai.com", 443)]


def test_nothing_is_sent() -> None:
    with HttpSink() as sink:
        write_config(f'[[channel]]\nname = "ops"\nurl = "{sink.url("/ok")}"\n')
        (reached,) = probe(load_settings(Options()).settings)
        assert reached.problem is None
        assert sink.arrivals.all == []


def test_what_cannot_be_reached_fails_the_check(cli: Cli) -> None:
    key = 'api_key = "sk-helicone-0123456789"\nwebhook_secrets = ["0123456789abcdef"]'
    write_config(f'[server]\nport = {free_port()}\n[helicone]\nbase_url = "http://127.0.0.1:{free_port()}"\n{key}\n')
    code, out, _ = cli("check", "--probe")
    assert code == 78
    assert "probe helicone" in out and "cannot be reached" in out
    assert cli("check").code == 0
