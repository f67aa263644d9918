from __future__ import annotations

import sys

import pytest

from spendtop.alerts.url_check import unusable


async def test_each_channel_that_cannot_work_is_named_with_the_reason() -> None:
    urls = {"good": "json://127.0.0.1/T0KEN", "half": "slack://T0KEN", "two": "tgram://123456789:abcdefg_hijklmnop/1/2"}
    assert await unusable(urls) == {
        "half": "is not a complete slack:// URL; see github.com/caronc/apprise/wiki for its form",
        "two": "names 2 recipients; make one channel for each",
    }


async def test_without_channels_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert await unusable({}) == {}


async def test_what_cannot_be_checked_is_not_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert await unusable({"half": "slack://T0KEN"}) == {}
    monkeypatch.setattr(sys, "executable", "/bin/true")
    assert await unusable({"half": "slack://T0KEN"}) == {}
    assert caplog.text.count("the channels could not be checked") == 2
    assert "T0KEN" not in caplog.text
