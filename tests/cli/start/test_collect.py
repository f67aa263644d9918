from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from spendtop.cli.start.collect import JsonLines, TextLines, log_to_stderr
from spendtop.config.paths import data_folder
from spendtop.domain.errors import ExitCode
from tests.cli.conftest import Cli
from tests.fake_ngrok import installed
from tests.waiting import DEADLINE


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    logger, ours = logging.getLogger(), logging.getLogger("spendtop")
    handlers, level = logger.handlers[:], logger.level
    yield logger
    ours.setLevel(logging.NOTSET)
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_the_log_is_harmless_to_a_terminal_whatever_a_client_sent(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    root.handlers.clear()
    log_to_stderr(debug=False, lines=TextLines())
    try:
        raise ValueError("\x1b]52;c;ZXZpbA==\x07")
    except ValueError:
        root.exception("%s failed", "/requests/\x1b[2J")
    err = capsys.readouterr().err
    assert "/requests/␛[2J failed\n" in err
    assert "ValueError: ␛]52;c" in err
    assert not {"\x1b", "\x07"} & set(err)


def test_where_machines_read_the_log_is_json_as_well(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    root.handlers.clear()
    log_to_stderr(debug=False, lines=JsonLines())
    try:
        raise ValueError("\x1b]52;c")
    except ValueError:
        root.exception("%s failed", "/requests")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"], said["logger"]) == ("log", "error", "root")
    assert said["message"].startswith("/requests failed\nTraceback") and "ValueError: ␛]52;c" in said["message"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", said["at"])


def test_libraries_tell_no_more_than_they_have_to(root: logging.Logger) -> None:
    log_to_stderr(debug=True, lines=TextLines())
    assert logging.getLogger("spendtop.api.app").isEnabledFor(logging.DEBUG)
    for name in ("httpx", "sqlalchemy.engine", "anything"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert logging.getLogger("stamina").level == logging.ERROR


def test_lines_of_the_log_carry_a_time_unless_the_journal_notes_it(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_journal, begin in ((False, r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING x: y"), (True, "WARNING x: y")):
        monkeypatch.setattr("spendtop.cli.start.collect.is_journal", lambda _, said=is_journal: said)
        root.handlers.clear()
        log_to_stderr(debug=False, lines=TextLines())
        (handler,) = root.handlers
        record = logging.LogRecord("x", logging.WARNING, "", 0, "y", None, None)
        assert re.fullmatch(begin, handler.format(record))


@pytest.mark.parametrize("words", [("--no-ui", "--tunnel", "ngrok"), ("--tunnel", "ngrok", "--no-ui")])
def test_a_tunnel_that_cannot_be_opened_stops_the_start(
    cli: Cli, root: logging.Logger, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    with installed():
        code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert "NGROK_AUTHTOKEN" in err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert "pip install 'spendtop[tunnel]'" in err
    assert not data_folder().exists()


def test_what_hangs_in_a_thread_keeps_no_collector_from_its_end() -> None:
    hanging = """
import sys, threading, time
from spendtop.cli.start import collect
from spendtop.domain.errors import ExitCode
collect._LAST_SECONDS = 0.01
threading.Thread(target=time.sleep, args=(600,)).start()
print("stored")
collect._end_soon(ExitCode.INTERNAL)
"""
    done = subprocess.run([sys.executable, "-c", hanging], stdout=subprocess.PIPE, timeout=DEADLINE)
    assert (done.returncode, done.stdout) == (ExitCode.INTERNAL, b"stored\n")
