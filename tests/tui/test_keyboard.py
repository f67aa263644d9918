"""What a terminal sends cannot end the screens, and what ends them is no success."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from spendtop.domain.errors import ExitCode
from spendtop.store.engine import Store
from spendtop.tui import app
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till
from tests.tui.pty_face import PtyFace

NO_TEXT = [b"\xff", b"\xc3", b"\xc3\x28", b"\xe2\x82", b"\xf0\x9f\x92", b"\xed\xa0\x80", b"\x1b[\xff", b"\x1b[<\x9b;;M"]
LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"


@pytest.fixture
def path(store: Store) -> Path:
    """The store's file."""
    assert store.path is not None
    return store.path


def test_bytes_that_are_no_text_do_not_end_the_screens(path: Path, filled: Till, clock: SettableClock) -> None:
    noise = random.Random(7)
    with PtyFace(path, clock()) as face:
        face.until("1Over")
        for data in NO_TEXT:
            face.send(data)
        for _ in range(50):
            face.send(bytes(noise.randrange(0x80, 0x100) for _ in range(40)))
        face.press("7")
        face.until("Accounts")
        assert face.end(signal.SIGTERM) == 128 + signal.SIGTERM


def test_a_crash_in_the_thread_of_the_keys_exits_70_with_the_terminal_restored(
    path: Path, filled: Till, clock: SettableClock
) -> None:
    with PtyFace(path, clock(), "--broken-keyboard") as face:
        assert face.wait() == ExitCode.INTERNAL
        assert LEFT_ALTERNATE_SCREEN in face.sent
        assert b"spendtop's screen crashed (RuntimeError)" in face.sent
        assert b"sk-very-secret" not in face.sent


def test_an_end_of_the_program_from_within_the_screens_is_a_crash(
    session_over: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leave(*_: object) -> int:
        raise SystemExit(0)

    monkeypatch.setattr(app, "_run", leave)
    with pytest.raises(RuntimeError):
        app.run(session_over())
