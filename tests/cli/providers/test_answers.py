"""What is seen while a command waits for a provider."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from spendtop.cli.providers import answers
from spendtop.cli.providers.answers import answer_to, wait_until


@pytest.fixture(autouse=True)
def _seconds_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_SHOWN_EVERY", 0.02)


async def slow() -> str:
    await asyncio.sleep(0.1)
    return "answer"


async def interrupted() -> None:
    signal.raise_signal(signal.SIGINT)
    await asyncio.sleep(60)


def test_who_watches_sees_what_is_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert answer_to(slow(), "Asking Anthropic for destinations") == "answer"
    err = capsys.readouterr().err
    assert "Asking Anthropic for destinations, if need be again: 0 s. Ctrl+C stops it." in err
    assert err.endswith("\r\x1b[K")
    assert max(map(len, err.split("\r\x1b[K"))) < 80


def test_nothing_is_shown_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    answer_to(slow(), "Asking Helicone for its webhooks")
    assert capsys.readouterr().err == ""


def test_ctrl_c_is_answered_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def looks() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer_to(interrupted(), "Making Helicone's webhook")
    assert "Making Helicone's webhook: stopped." in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        wait_until(looks, 20, "Waiting for Helicone's test", "late")
    assert "Waiting for Helicone's test: stopped." in capsys.readouterr().err
