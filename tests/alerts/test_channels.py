from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from apprise import Apprise
from apprise.decorators import notify
from apprise.manager_plugins import NotificationManager

from spendtop.alerts.channels import check_url, prepared_url
from spendtop.config.channel_urls import ALLOWED, LOCAL_SCHEMAS, schema_of

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
DISCORD = "https://discord.com/api/webhooks/123456/abcDEF_token"


@pytest.mark.parametrize(
    "url",
    [
        SLACK,
        DISCORD,
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "discord://123456/abcDEF_token",
        "mailtos://user:pass@smtp.example.com:587?from=a@example.com&to=b@example.com&mode=starttls",
        "tgram://123456789:abcdefg_hijklmnop/12345",
        "json://127.0.0.1:8080/hook?verify=yes&redirect=no&optional=no",
        "ntfy://topic",
    ],
)
def test_one_recipient_of_a_known_service_is_accepted(url: str) -> None:
    assert check_url(url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("S3CRET", "must be an Apprise URL"),
        ("slak://S3CRET/B/C", "did you mean slack://"),
        ("slack://S3CRET", "is not a complete slack:// URL"),
        ("https://example.com/S3CRET", "is not a complete https:// URL of Slack or Discord; a webhook shaped like"),
        ("json://[::1", "is not a complete json:// URL"),
        ("file:///S3CRET", "acts on this machine"),
        ("syslog://S3CRET", "acts on this machine"),
        ("apprise://localhost/S3CRET", "acts on this machine"),
        ("json://host/S3CRET?optional=yes", "optional="),
        ("json://host/S3CRET?Retry=3", "retry="),
        ("json://host/S3CRET?wait=3", "wait="),
        ("json://host/S3CRET?redirect=yes", "redirect="),
        ("jsons://host/S3CRET?verify=no", "verify="),
        ("mailto://u:S3CRET@example.com?to=a@example.com,b@example.com", "more than one recipient"),
        ("mailto://u:S3CRET@example.com/c@example.com?to=a@example.com", "names 2 recipients"),
        ("mailto://u:S3CRET@example.com?to=a@example.com&bcc=b@example.com", "more than one recipient"),
        ("tgram://123456789:S3CRETabcdefg_hijklmnop/12345/67890", "names 2 recipients"),
    ],
)
def test_a_refusal_names_the_reason_and_no_part_of_the_url(
    url: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    refusal = check_url(url) or ""
    assert reason in refusal
    assert "S3CRET" not in refusal + caplog.text


@pytest.fixture
def newer_apprise() -> Iterator[None]:
    """Apprise as a later release may be: it can send to `brandnew://`."""
    makes_kind: Any = notify
    makes_kind(on="brandnew")(lambda body, title, notify_type: None)
    yield
    manager: Any = NotificationManager
    manager().remove("brandnew")


@pytest.mark.usefixtures("newer_apprise")
def test_a_kind_that_only_a_later_apprise_knows_is_refused() -> None:
    assert Apprise.instantiate("brandnew://S3CRET/b") is not None
    refusal = check_url("brandnew://S3CRET/b") or ""
    assert "brandnew:// is not a service that spendtop knows" in refusal
    assert "S3CRET" not in refusal


def test_every_allowed_kind_is_one_that_apprise_knows_and_acts_elsewhere() -> None:
    manager: Any = NotificationManager
    assert set(manager().schemas()) >= ALLOWED
    assert ALLOWED.isdisjoint(LOCAL_SCHEMAS | {"blink1", "gio"})


@pytest.mark.parametrize(
    ("url", "schema"),
    [(SLACK, "slack"), (DISCORD, "discord"), ("MAILTO://a@example.com", "mailto"), ("https://[x", "https"), ("x", "?")],
)
def test_a_channel_is_shown_by_its_kind(url: str, schema: str) -> None:
    assert schema_of(url) == schema


def test_what_is_too_long_is_cut_by_the_service() -> None:
    assert prepared_url("json://host/a") == "json://host/a?overflow=truncate"
    assert prepared_url("json://host?x=1&Overflow=split") == "json://host?x=1&overflow=truncate"
    plugin: Any = Apprise.instantiate(prepared_url(SLACK))
    assert plugin.overflow_mode == "truncate"
