from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.domain.clock import MINUTE
from tests.alerts.sinks import HttpSink, free_port
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, spendtop, webhook


def run(collector: CollectorProcess, *words: str) -> tuple[int, str, str]:
    return spendtop(collector.folder, *words)


@pytest.mark.replaces("monitor/send-test")
def test_a_running_collector_is_tested_asked_and_seen(tmp_path: Path) -> None:
    limit = '[[limit]]\nname = "tiny"\nwindow = "1h"\nusd = 0.000001\n'
    with collecting(tmp_path / "work", LISTENER + limit) as collector:
        code, out, err = run(collector, "send-test", "--count", "6", "--rate", "1000")
        assert (code, err) == (0, "")
        assert out.splitlines()[2].split() == ["6", "200", "stored"]
        assert out.splitlines()[3].startswith("Today: $") and ", 6 requests" in out.splitlines()[3]
        assert "`spendtop send-test --remove` takes them out." in out
        assert collector.rows("SELECT count(*) FROM request") == [(6,)]
        assert collector.rows("SELECT DISTINCT properties FROM request") == [('{"spendtop_test":"1"}',)]

        raw = webhook("drifted", metadata="drift")
        assert collector.post(raw).status_code == 202
        code, out, _ = run(collector, "quarantine", "retry")
        assert (code, out) == (0, "0 understood and recorded, 1 still not understood.\n")

        assert run(collector, "limit", "check")[0] == 11
        code, out, _ = run(collector, "check")
        assert code == 0
        assert f"process {collector.pid} listens at {collector.url}" in out

        code, out, err = run(collector, "send-test", "--keep")
        assert (code, err) == (0, "")
        code, out, err = run(collector, "send-test", "--remove")
        assert (code, err) == (0, "")
        assert out.startswith("6 test requests are taken out of every figure: $")
        assert collector.rows("SELECT count(*), min(properties) FROM request") == [(1, None)]


SECRET = '[helicone]\nwebhook_secrets = ["0123456789abcdef"]\n'


def test_another_secret_is_named_as_the_reason(cli: Cli, tmp_path: Path) -> None:
    write_config(SECRET)
    with collecting(tmp_path / "work") as collector:
        said = cli("send-test", collector.url)
    assert said.code == 78
    assert "401" in said.out and "webhook_secrets" in said.err


def test_without_a_secret_nothing_is_sent(cli: Cli) -> None:
    with HttpSink() as sink:
        said = cli("send-test", f"http://127.0.0.1:{sink.port}/ok")
        assert sink.arrivals.all == []
    assert (said.code, said.out) == (78, "")
    assert "webhook_secrets" in said.err


def test_a_url_with_a_path_is_posted_to_as_it_is_and_others_at_webhook(cli: Cli) -> None:
    write_config(SECRET)
    with HttpSink() as sink:
        cli("send-test", f"http://127.0.0.1:{sink.port}", "--count", "2", "--rate", "1000")
        cli("send-test", f"http://127.0.0.1:{sink.port}/proxy/hook")
        arrived = sink.arrivals.all
    assert [path for path, _ in arrived] == ["/webhook", "/webhook", "/proxy/hook"]
    assert len({body["request_id"] for _, body in arrived}) == 3
    created = [body["response_body"]["created"] for _, body in arrived if "created" in body["response_body"]]
    assert created and all(second * 1_000_000 >= minutes_ago(1) - MINUTE for second in created)


def test_an_answer_that_is_not_ours_is_no_success(cli: Cli) -> None:
    write_config(SECRET)
    with HttpSink() as sink:
        said = cli("send-test", f"http://127.0.0.1:{sink.port}/500")
    assert said.code == 74
    assert "500" in said.out and "not ours" in said.out


def test_where_nobody_listens_it_says_so(cli: Cli) -> None:
    write_config(SECRET)
    said = cli("send-test", "--port", str(free_port()))
    assert said.code == 74
    assert "does not answer" in said.err and "Start `spendtop`" in said.err


@pytest.mark.parametrize(
    "words", [("--count", "0"), ("--rate", "0"), ("--rate", "-1"), ("ftp://x",), ("http://[",), ("nothing",)]
)
def test_what_cannot_be_sent_is_a_usage_error(cli: Cli, words: tuple[str, ...]) -> None:
    write_config(SECRET)
    said = cli("send-test", *words)
    assert (said.code, said.out) == (2, "")
