"""The face in a real pseudo-terminal: hostile text, colours, signals, exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spendtop.domain.errors import ExitCode
from spendtop.store.engine import Store
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request, chat
from tests.tui.pty_face import PtyFace

HOSTILE = "\x1b]52;c;aGFja2Vk\x07\x1b[2J\x1b[31mA\x00\u202eB\x9b5m[/nope][@click=app.quit]x[/]\u2028"
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")


@pytest.fixture
def path(store: Store) -> Path:
    """The store's file."""
    assert store.path is not None
    return store.path


def test_hostile_text_is_shown_harmlessly(path: Path, till: Till, clock: SettableClock) -> None:
    evil = a_request(
        0,
        clock(),
        user_id=HOSTILE,
        model=HOSTILE,
        session_id=HOSTILE,
        properties={HOSTILE: HOSTILE},
        request_body=chat(HOSTILE),
        response_body=HOSTILE.encode(),
    )
    till.record(evil, a_request(1, clock()))
    with PtyFace(path, clock(), size=(140, 40)) as face:
        face.until("14:03:07")
        face.until("alice")
        face.press("2")
        face.until("row 1 of 2")
        face.press("\r")
        face.until("nope")
        face.press("\t\t\t")
        face.until("external-0")
        face.press(":theme [/nope]\r")
        face.until("Themes are")
        face.press("D")
        assert face.wait() == ExitCode.OK
    painted = face.sent.replace(b"\x1b]22;default\x07", b"").replace(b"\x1b]22;pointer\x07", b"")
    for forbidden in (b"\x1b]", b"\x1b[2J", b"\x1b[31mA", b"\x00", b"\x07", b"\x7f"):
        assert forbidden not in painted
    assert not set("\u202e\u2028\x9b") & set(painted.decode())
    assert "[/nope][@click=app.quit]x[/]" in painted.decode()


def test_no_color_means_no_colour_at_all(path: Path, filled: Till, clock: SettableClock) -> None:
    with PtyFace(path, clock(), env={"NO_COLOR": ""}) as face:
        face.until("14:03:06")
        face.press("2")
        face.until("row 1 of 60")
        face.press("y")
        face.until("response body, raw")
        face.press("q")
        face.press("?")
        face.until("screens")
        face.end(signal.SIGTERM)
    assert not COLOUR.findall(face.sent)
    assert b"\x1b[7m" in face.sent or b";7m" in face.sent


def test_colours_are_there_without_it(path: Path, filled: Till, clock: SettableClock) -> None:
    with PtyFace(path, clock()) as face:
        face.until("14:03:06")
        face.end(signal.SIGTERM)
    assert COLOUR.findall(face.sent)


def test_ascii_draws_with_plain_characters_only(path: Path, filled: Till, clock: SettableClock) -> None:
    with PtyFace(path, clock(), "--ascii") as face:
        face.until("14:03:06")
        face.press("2")
        face.until("row 1 of 60")
        face.press("?")
        face.until("screens")
        face.end(signal.SIGTERM)
    assert face.sent.isascii(), set(re.findall(r"[^\x00-\x7f]", face.sent.decode()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal(path: Path, filled: Till, clock: SettableClock, number: int) -> None:
    with PtyFace(path, clock()) as face:
        face.until("LIVE")
        assert face.end(number) == 128 + number
    assert face.sent.rindex(ALTERNATE_OFF) > face.sent.rindex(ALTERNATE_ON)
    assert face.sent.rindex(b"\x1b[?25h") > face.sent.rindex(b"\x1b[?25l")


def test_a_terminal_that_goes_away_ends_the_face(path: Path, filled: Till, clock: SettableClock) -> None:
    with PtyFace(path, clock()) as face:
        face.until("LIVE")
        assert face.hang_up() != 0


def test_a_store_that_is_not_there_gives_a_sentence_and_an_exit_code(tmp_path: Path, clock: SettableClock) -> None:
    with PtyFace(tmp_path / "missing" / "none.db", clock()) as face:
        assert face.wait() != 0
    assert b"Traceback" not in face.sent
    assert face.sent.rindex(ALTERNATE_OFF) > face.sent.rindex(ALTERNATE_ON)


def test_an_idle_screen_sends_next_to_nothing(path: Path, filled: Till, clock: SettableClock) -> None:
    with PtyFace(path, clock(), size=(140, 40)) as face:
        face.until("14:03:06")
        face.press("2")
        face.until("row 1 of 60")
        before = len(face.sent)
        face.press("j")
        face.until("row 2 of 60")
        assert len(face.sent) - before < 2_000
        face.end(signal.SIGTERM)


def test_the_first_picture_needs_no_store() -> None:
    code = "import sys, spendtop.tui.app; sys.exit(bool({'sqlalchemy', 'sqlmodel', 'watchfiles'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
