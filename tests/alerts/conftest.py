from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts.sinks import HttpSink, MailSink


@pytest.fixture
def web() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink
