from __future__ import annotations

import pytest
from pydantic import ValidationError

from spendtop.config.channel_urls import holds_credentials
from spendtop.config.settings import ChannelSettings


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("slack://T/B/X", True),
        ("https://hooks.slack.com/services/T/B/X", True),
        ("json://example.org/path", True),
        ("json://user@127.0.0.1/", True),
        ("json://127.0.0.1:9/path", False),
        ("json://localhost/path", False),
        ("xml://[::1]:9/", False),
        ("mailto://u:p@mail.example?to=a@b.c", True),
        ("mailtos://mail.example?user=u&pass=p&to=a@b.c", True),
        ("mailto://127.0.0.1:25?from=a@b.c&to=d@e.f", False),
        ("json://[bad", True),
    ],
)
def test_urls_that_let_a_stranger_act_are_secrets(url: str, secret: bool) -> None:
    assert holds_credentials(url) is secret


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T/B/X",
        "https://discord.com/api/webhooks/1/abc",
        "mailtos://u:p%20w@smtp.gmail.com:587?to=a@b.c",
        "ntfy://topic",
        "jsons://example.org/?verify=yes",
        "json://127.0.0.1:9/?:message=text",
    ],
)
def test_one_url_with_one_recipient_is_kept_as_it_is(url: str) -> None:
    assert ChannelSettings.model_validate({"name": "a", "url": url}).url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("slack://", "needs an address"),
        ("slack", "Apprise URL"),
        ("json://h/ json://i/", "one URL without spaces"),
        ("dbus://x", "acts on this machine"),
        ("json://h/?WAIT=3", "remove wait="),
        ("json://h/?redirect=yes", "remove redirect="),
        ("mailto://h?to=a@b.c&bcc=d@e.f", "more than one recipient"),
    ],
)
def test_other_urls_are_refused(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ChannelSettings.model_validate({"name": "a", "url": url})
