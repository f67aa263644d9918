"""The demo as somebody meets it who has just installed the program."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.processes import LISTENER, collecting, command, environment
from tests.tui.pty_face import PtyProgram
from tests.waiting import eventually


def test_its_first_screen_has_the_month_on_it(tmp_path: Path) -> None:
    with PtyProgram(command("demo"), tmp_path, {**environment(tmp_path), "TMPDIR": str(tmp_path)}, (80, 24)) as demo:
        demo.until("Filling a throw-away store")
        demo.until("in the last hour")
        demo.until("ci-review")
        demo.until("LIVE")
        assert list(tmp_path.rglob("demo.db"))
        assert b"Welcome" not in demo.sent
        assert b"Nothing recorded" not in demo.sent
        demo.press("Q")
        demo.until("end with this window")
        demo.press("\r")
        assert demo.wait() == 0
    assert not list(tmp_path.rglob("demo.db"))


def test_it_lives_without_configuration(tmp_path: Path) -> None:
    with collecting(tmp_path, LISTENER, "demo") as collector:
        lines = eventually(lambda: [line for line in collector.lines if "processed" in line and "hiro" in line])
        ended = collector.end()
    assert lines
    assert ended.code == 0
    assert ended.err == ""
