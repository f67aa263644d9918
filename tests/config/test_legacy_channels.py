from __future__ import annotations

from typing import Any

import pytest
from apprise import Apprise

from spendtop.config.legacy_channels import hook_url, mail_channels
from spendtop.config.settings import ChannelSettings

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
