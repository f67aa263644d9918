from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts.sinks import HttpSink
from tests.cli.conftest import Cli, write_config

TOKEN = "averysecrettoken"


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


def configure(sink: HttpSink, **paths: str) -> None:
    write_config("".join(f'[[channel]]\nname = "{name}"\nurl = "{sink.url(path)}"\n' for name, path in paths.items()))


def test_without_channels_it_says_how_to_make_one(cli: Cli) -> None:
    assert "[[channel]]" in cli("channel", "list").out
    said = cli("channel", "test")
    assert said.code == 2 and "[[channel]]" in said.err


def test_channels_are_listed_by_kind_and_never_by_url(cli: Cli, sink: HttpSink) -> None:
    configure(sink, ops=f"/{TOKEN}", boss="/ok")
    code, out, _ = cli("channel", "list")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [["ops", "json", "info"], ["boss", "json", "info"]]
    assert TOKEN not in out and "127.0.0.1" not in out


def test_a_test_message_is_sent_from_here(cli: Cli, sink: HttpSink) -> None:
    configure(sink, ops="/ok", boss="/ok2")
    code, out, _ = cli("channel", "test", "ops")
    assert code == 0 and "sent" in out and "boss" not in out
    assert [path for path, _ in sink.arrivals.all] == ["/ok"]
    assert "This channel works." in sink.arrivals.bodies("/ok")[0]


def test_a_failure_is_named_by_its_class_and_never_by_its_url(cli: Cli, sink: HttpSink) -> None:
    configure(sink, ops="/ok", broken=f"/404-{TOKEN}")
    code, out, err = cli("channel", "test")
    assert code == 74
    assert "permanent" in out and "HTTP 404" in out
    assert TOKEN not in out + err and "127.0.0.1" not in out + err


def test_an_unknown_name_is_answered_with_the_nearest(cli: Cli, sink: HttpSink) -> None:
    configure(sink, operations="/ok")
    said = cli("channel", "test", "operation")
    assert said.code == 2 and "Did you mean 'operations'?" in said.err
    assert not sink.arrivals.all
