"""A limit is crossed: one message per crossing and channel, at real receivers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.alerts.sinks import HttpSink, MailSink
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, webhook
from tests.waiting import eventually


@pytest.fixture
def config() -> str:
    return LISTENER + '[[limit]]\nname = "all day"\nwindow = "24h"\nusd = 1\n'


def channel(name: str, url: str) -> str:
    return f'[[channel]]\nname = "{name}"\nurl = "{url}"\n'


def settled(collector: CollectorProcess) -> bool:
    """Whether nothing is left to evaluate or to deliver."""
    [(left,)] = collector.rows(
        "SELECT (SELECT COUNT(*) FROM limit_mark)"
        " + (SELECT COUNT(*) FROM delivery WHERE state IN ('pending', 'sending'))"
    )
    return bool(left == 0)


def spend(collector: CollectorProcess, first: int, count: int, each: float) -> None:
    for number in range(first, first + count):
        assert collector.post(webhook(f"request-{number}", each)).status_code == 200


@pytest.mark.replaces("monitor/approaching-exceeded")
def test_a_crossing_speaks_once_however_many_requests_follow(tmp_path: Path, config: str) -> None:
    with HttpSink() as web, MailSink() as mail:
        channels = channel("web", web.url("/ok")) + channel("mail", mail.url("ops@example.com"))
        with collecting(tmp_path, config + channels) as collector:
            spend(collector, 0, 8, 0.1)
            web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            eventually(lambda: len(mail.mails) == 1)
            spend(collector, 8, 2, 0.1)
            spend(collector, 10, 400, 0.01)
            eventually(lambda: settled(collector))
            # Where it takes long, requests so alike are a loop, too, which has an alert of its own.
            alerts = collector.rows(
                "SELECT state, used_nano >= limit_nano, spoke FROM alert WHERE rule = 'limit/all day'"
            )
            deliveries = collector.rows("SELECT channel, kind, state FROM delivery ORDER BY id")
            lines = collector.lines

    assert alerts == [("exceeded", 1, 2)]
    assert deliveries == [
        (channel, kind, "sent") for kind in ("approaching", "exceeded") for channel in ("web", "mail")
    ]
    titles = [body["title"] for _, body in web.arrivals.all]
    subjects = [str(message["Subject"]) for _, message in mail.mails]
    for said in (titles, subjects):
        assert len(said) == 2
        assert "approaching" in said[0].lower()
        assert "exceeded" in said[1].lower()
        assert all("all day" in title for title in said)
    warning, alert = (line for line in lines if line.startswith(("WARNING", "ALERT")) and "all day" in line)
    assert warning == "WARNING approaching all day: $0.80 of $1.00"
    assert re.fullmatch(r"ALERT all day exceeded: \$\d\.\d\d of \$1\.00", alert)


def test_a_dead_channel_does_not_keep_a_message_from_another(tmp_path: Path, config: str) -> None:
    with HttpSink() as web:
        channels = channel("dead", web.url("/404")) + channel("fine", web.url("/ok"))
        with collecting(tmp_path, config + channels) as collector:
            spend(collector, 0, 1, 2.0)
            web.arrivals.wait_for(lambda arrived: sorted(path for path, _ in arrived) == ["/404", "/ok"])
            expected = {("dead", "pending", 1), ("fine", "sent", 1)}
            eventually(lambda: set(collector.rows("SELECT channel, state, attempts FROM delivery")) == expected)
            eventually(lambda: "dead" in collector.err)

    assert "127.0.0.1" not in collector.err


def test_a_crossing_that_was_not_evaluated_before_the_end_is_told_after_the_next_start(
    tmp_path: Path, config: str
) -> None:
    with collecting(tmp_path) as collector:
        spend(collector, 0, 1, 2.0)
        collector.end()
    with HttpSink() as web, collecting(tmp_path, config + channel("web", web.url("/ok"))):
        web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
    assert "exceeded" in web.arrivals.all[0][1]["title"].lower()
