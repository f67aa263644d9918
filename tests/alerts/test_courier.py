"""One message through the real delivery process to real receivers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import sys
from collections import defaultdict

import pytest
from apprise import Apprise
from apprise.plugins import pagerduty

from spendtop.alerts.channels import prepared_url
from spendtop.alerts.courier import ProcessCourier, delivery_job
from spendtop.alerts.delivery_process import DeliveryJob, DeliveryOutcome, DeliveryResult, deliver, redacted
from spendtop.alerts.message_text import Dispatch, render
from spendtop.config.channel_urls import HOOK_FIELDS
from spendtop.config.legacy_env import hook_url
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.sources.push_health import Destination, way_back
from spendtop.domain.sources.records import ANTHROPIC_PUSH
from tests.alerts.sinks import HttpSink, MailSink, free_port
from tests.waiting import DEADLINE

FIRST = Dispatch(sender="build-7", ref="7f3a90c1")
HOSTILE = "@everyone <!channel> <b> [x](http://e) \r\nBcc: e@e"


def job(url: str, deadline: float = DEADLINE) -> DeliveryJob:
    return DeliveryJob(url=url, title="daily exceeded", body="$5 of $4", type="failure", deadline=deadline)


async def sent(url: str, deadline: float = DEADLINE) -> DeliveryResult:
    return await ProcessCourier().deliver(job(url, deadline))


@pytest.mark.replaces("monitor/chat")
async def test_a_message_arrives_with_its_title_type_and_text(web: HttpSink) -> None:
    result = await sent(web.url("/ok"))
    assert (result.outcome, result.detail) == (DeliveryOutcome.SENT, "")
    ((_, body),) = web.arrivals.all
    assert (body["title"], body["message"], body["type"]) == ("daily exceeded", "$5 of $4", "failure")


@pytest.mark.parametrize(
    ("path", "outcome", "detail", "slow_down"),
    [
        ("/500", DeliveryOutcome.TRANSIENT, "HTTP 500", False),
        ("/429", DeliveryOutcome.TRANSIENT, "HTTP 429", True),
        ("/404", DeliveryOutcome.PERMANENT, "HTTP 404", False),
        ("/401", DeliveryOutcome.PERMANENT, "HTTP 401", False),
        ("/redirect", DeliveryOutcome.PERMANENT, "redirect refused (HTTP 302)", False),
    ],
)
async def test_an_answer_decides_whether_it_is_worth_repeating(
    web: HttpSink, path: str, outcome: DeliveryOutcome, detail: str, slow_down: bool
) -> None:
    result = await sent(web.url(path))
    assert (result.outcome, result.detail, result.slow_down) == (outcome, detail, slow_down)
    assert [path for path, _ in web.arrivals.all] == [path]


async def test_a_dripping_answer_ends_at_the_deadline(web: HttpSink) -> None:
    async with asyncio.timeout(DEADLINE):
        result = await sent(web.url("/drip"), deadline=1.0)
    assert (result.outcome, result.detail) == (DeliveryOutcome.TRANSIENT, "no complete answer within 1 s")


async def test_an_endless_answer_costs_the_collector_no_memory(web: HttpSink) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await sent(web.url("/huge"))
    assert (result.outcome, result.detail[:32]) == (DeliveryOutcome.TRANSIENT, "the service's answer was too lar")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


async def test_a_refused_connection_is_transient_and_its_reason_hides_the_url() -> None:
    result = await sent(f"json://user:S3CRETpass@127.0.0.1:{free_port()}/T0KENinPath?+X-Key=H3ADERkey")
    assert result.outcome is DeliveryOutcome.TRANSIENT
    assert "cannot connect" in result.detail
    assert not re.search("S3CRET|T0KEN|H3ADER|127", result.detail)


async def test_a_url_that_apprise_does_not_understand_is_misconfigured() -> None:
    result = await sent("slack://T0KEN")
    assert result.outcome is DeliveryOutcome.MISCONFIGURED
    assert "T0KEN" not in result.detail


@pytest.mark.replaces("monitor/mail")
async def test_mail_is_sent_or_refused_for_each_recipient(mail: MailSink) -> None:
    good, later, never = await asyncio.gather(
        *(sent(mail.url(f"{name}@example.com")) for name in ("ann", "451", "550"))
    )
    assert good.outcome is DeliveryOutcome.SENT
    assert later.outcome is never.outcome is DeliveryOutcome.PERMANENT
    assert never.detail == "the mail server refused the message"
    assert [recipient for recipient, _ in mail.mails] == ["ann@example.com"]


async def test_a_hostile_name_adds_no_recipient_and_no_markup_to_a_mail(mail: MailSink) -> None:
    text = render(Message(kind=MessageKind.EXCEEDED, limit_name=HOSTILE, entity=HOSTILE, each="user"), FIRST)
    hostile = DeliveryJob(
        url=mail.url("ann@example.com"), title=text.title, body=text.body, type="failure", deadline=DEADLINE
    )
    assert (await ProcessCourier().deliver(hostile)).outcome is DeliveryOutcome.SENT
    ((recipient, received),) = mail.mails
    assert recipient == "ann@example.com"
    assert received["Bcc"] is None
    assert {part.get_content_type() for part in received.walk()} == {"text/plain"}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("notify_url", "https://discord.com/api/webhooks/123456/abcDEF_token"),
        ("webhook_url", "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"),
    ],
)
def test_a_hostile_name_mentions_nobody_in_a_chat(
    web: HttpSink, monkeypatch: pytest.MonkeyPatch, address: str, url: str
) -> None:
    """The service's own plugin, pointed at loopback, therefore in this process."""
    monkeypatch.setattr(type(Apprise.instantiate(url)), address, f"http://127.0.0.1:{web.port}")
    text = render(Message(kind=MessageKind.EXCEEDED, limit_name=HOSTILE, entity=HOSTILE, each="user"), FIRST)
    chat = DeliveryJob(url=prepared_url(url), title=text.title, body=text.body, type="failure", deadline=DEADLINE)
    deliver(chat)
    ((_, posted),) = web.arrivals.all
    payload = str(posted)
    assert "everyone" in payload
    for live in ("@everyone", "<!channel>", "<b>", "](", "://e)"):
        assert live not in payload


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("shaped_like", ["slack", "discord"])
async def test_a_hook_of_another_host_gets_title_and_text_in_the_field_that_it_shows(
    web: HttpSink, shaped_like: str
) -> None:
    field = HOOK_FIELDS[shaped_like]
    url = hook_url(f"http://127.0.0.1:{web.port}/hooks/x?team=1", field)
    message = Message(kind=MessageKind.EXCEEDED, limit_name="daily", used_nano=5 * 10**9, limit_nano=4 * 10**9)
    hook = delivery_job(url, message, FIRST, severity="critical", deadline=DEADLINE)
    assert deliver(hook).outcome is DeliveryOutcome.SENT
    ((path, posted),) = web.arrivals.all
    assert path.partition("?")[0] == "/hooks/x"
    assert posted.keys() == {field, "username"}
    assert posted["username"] == "spendtop"
    title, first, *_, end = posted[field].splitlines()
    assert (title, first) == ("exceeded: daily $5.00 of $4.00", "Limit daily, everyone:")
    assert end == "[ref 7f3a90c1·1]"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "mmost://127.0.0.1:{port}/3ccdd113474722377935511fc85d3dd4?image=yes",
        "pagerduty://2d1a1b9f4c6d4b5e9c8f7a6b5c4d3e2f@u%2BabcDEF123456",
    ],
)
def test_a_message_comes_from_spendtop_and_without_the_pictures_of_apprise(
    web: HttpSink, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    url = url.format(port=web.port)
    plugin = type(Apprise.instantiate(url))
    monkeypatch.setattr(plugin, "webhook_url", f"http://127.0.0.1:{web.port}", raising=False)
    monkeypatch.setattr(pagerduty, "PAGERDUTY_API_LOOKUP", defaultdict(lambda: f"http://127.0.0.1:{web.port}/"))
    deliver(job(prepared_url(url)))
    ((_, posted),) = web.arrivals.all
    assert "pprise" not in json.dumps(posted)
    assert "spendtop" in json.dumps(posted)


async def test_addresses_in_a_mail_can_be_copied(mail: MailSink) -> None:
    message = Message(kind=MessageKind.EXCEEDED, limit_name="each user", entity="alice@acme.com", each="user")
    url = mail.url("ann@example.com")
    result = await ProcessCourier().deliver(delivery_job(url, message, FIRST, severity="critical", deadline=DEADLINE))
    assert result.outcome is DeliveryOutcome.SENT
    ((_, received),) = mail.mails
    assert received["Subject"].startswith("exceeded: each user alice@acme.com ")
    assert "user alice@acme.com:" in str(received.get_payload())


async def test_the_way_back_of_a_destination_that_is_off_arrives_whole(web: HttpSink) -> None:
    host = f"{'a' * 60}.{'b' * 60}.example.org"
    off = Destination(
        id="d", name="spendtop", address=f"https://{host}", is_enabled=False, disabled_why="invalid_address"
    )
    amiss = way_back(ANTHROPIC_PUSH, off)
    assert amiss is not None
    message = Message(kind=MessageKind.STALE, limit_name="anthropic-push", lines=(amiss,))
    sending = delivery_job(web.url("/ok"), message, FIRST, severity="warning", deadline=DEADLINE)
    assert (await ProcessCourier().deliver(sending)).outcome is DeliveryOutcome.SENT
    (said,) = web.arrivals.bodies("/ok")
    assert f"`spendtop anthropic connect {host}` switches it on" in said


async def test_a_proxy_in_the_environment_is_ignored(web: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpSink() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        result = await sent(web.url("/ok"))
        assert proxy.arrivals.all == []
    assert result.outcome is DeliveryOutcome.SENT
    assert len(web.arrivals.all) == 1


async def test_a_configured_proxy_is_used(web: HttpSink) -> None:
    with HttpSink() as proxy:
        courier = ProcessCourier(proxy=f"http://127.0.0.1:{proxy.port}")
        assert (await courier.deliver(job(web.url("/ok")))).outcome is DeliveryOutcome.SENT
        assert len(proxy.arrivals.all) == 1
    assert web.arrivals.all == []


async def test_cancelling_a_delivery_kills_its_process(web: HttpSink) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(sent(web.url("/drip"), deadline=10 * DEADLINE))
        await asyncio.to_thread(web.arrivals.wait_for, lambda arrived: len(arrived) == 1)
        async with asyncio.timeout(DEADLINE):
            task.cancel()
            await asyncio.wait([task])


async def test_the_delivery_process_ends_with_its_parent(web: HttpSink) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "spendtop.alerts.delivery_process"),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    assert process.stdin is not None
    line = f'{{"url":"{web.url("/drip")}","title":"t","body":"b","type":"info","deadline":{10 * DEADLINE}}}\n'
    process.stdin.write(line.encode())
    await asyncio.to_thread(web.arrivals.wait_for, lambda arrived: len(arrived) == 1)
    process.stdin.close()
    async with asyncio.timeout(DEADLINE):
        await process.communicate()
    assert process.returncode == 1


def test_no_part_of_a_url_survives_in_a_reason() -> None:
    url = "ntfys://alice:p%40ss-w0rd@host.example/topic?token=tk_ABC"
    line = "HOST.example said: user alice with p@ss-w0rd may not post to topic with tk_ABC"
    assert redacted(line, url) == "*** said: user *** with p@*** may not post to *** with ***"


def test_a_job_shows_no_url() -> None:
    assert "T0KEN" not in repr(job("slack://T0KEN"))
