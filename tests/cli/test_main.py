from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import spendtop
from spendtop.__main__ import main
from spendtop.cli.command import Command
from spendtop.cli.options import Options
from spendtop.config.paths import state_folder
from spendtop.domain.errors import ExitCode, PortBusy
from tests.cli.conftest import Cli
from tests.waiting import DEADLINE

PROGRAM = [sys.executable, "-P", "-m", "spendtop"]


def _commands_run(monkeypatch: pytest.MonkeyPatch, function: Callable[[Options], int]) -> None:
    monkeypatch.setattr(Command, "function", lambda _command: function)


def test_the_version_goes_to_stdout(cli: Cli) -> None:
    assert cli("--version") == (0, f"spendtop {spendtop.__version__}\n", "")
    assert cli("status", "--version").out == f"spendtop {spendtop.__version__}\n"


def test_other_names_of_the_package_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = spendtop.nothing


def test_a_wrong_command_line_exits_with_2_on_stderr(cli: Cli) -> None:
    code, out, err = cli("statu")
    assert (code, out) == (2, "")
    assert err.startswith("spendtop: There is no command 'statu'. Did you mean 'status'?")


def test_an_expected_failure_is_its_sentence_and_its_exit_code(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_options: Options) -> int:
        raise PortBusy("The port 8000 is taken.")

    _commands_run(monkeypatch, busy)
    assert cli("stop") == (69, "", "spendtop: The port 8000 is taken.\n")


def test_a_failure_that_quotes_control_characters_is_harmless_to_a_terminal(cli: Cli) -> None:
    code, out, err = cli("--config", "no\x1b]0;evil\x07.toml", "channel", "list")
    assert (code, out) == (ExitCode.CONFIG, "")
    assert "no␛]0;evil␇.toml" in err
    assert "\x1b" not in err


def test_ctrl_c_is_130_without_a_word(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_options: Options) -> int:
        raise KeyboardInterrupt

    _commands_run(monkeypatch, interrupted)
    assert cli("stop") == (130, "", "")


def test_the_unexpected_is_one_line_and_a_log_without_variables_and_keys(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_options: Options) -> int:
        canary = "canary" * 2
        raise RuntimeError("sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"[: len(canary) * 9])

    _commands_run(monkeypatch, broken)
    code, out, err = cli("stop")
    log = state_folder() / "spendtop.log"
    assert (code, out) == (ExitCode.INTERNAL, "")
    assert err == f"spendtop: This should not have happened (RuntimeError). The log says where: {log}\n"
    text = log.read_text()
    assert "in broken" in text and "Traceback" in text
    assert "canarycanary" not in text and "abcdefghijklmnop" not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_files_are_closed_to_others_from_the_first_moment_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def touching(_options: Options) -> int:
        Path("made").touch()
        return 0

    _commands_run(monkeypatch, touching)
    os.umask(0)
    cli("stop")
    assert stat.S_IMODE(Path("made").stat().st_mode) == 0o600


def test_a_reader_that_leaves_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as broken:
        ended = subprocess.run([*PROGRAM, "--help"], stdout=broken, stderr=subprocess.PIPE, timeout=DEADLINE)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_ascii_shows_no_other_character() -> None:
    folder = Path(os.environ["XDG_DATA_HOME"]) / "spendtop"
    folder.mkdir(parents=True)
    sums = '{"nano": 1000000000, "unpriced": 0, "requests": 1}'
    (folder / "spendtop.db.status.json").write_text(
        f'{{"at": 0, "url": "", "today": {sums}, "hour": {sums}, "limits": []}}'
    )
    ended = subprocess.run([*PROGRAM, "status", "--ascii"], capture_output=True, timeout=DEADLINE)
    assert ended.stdout.startswith(b"$1.00 today - $1.00 last hour - ")
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    ended = subprocess.run(
        [*PROGRAM, "status", "--line", "{today}→é"], capture_output=True, env=latin, timeout=DEADLINE
    )
    assert ended.stdout == "$1.00->é\n".encode("latin-1")


def test_a_command_loads_no_screens_and_status_next_to_nothing() -> None:
    script = (
        "import sys; from spendtop.__main__ import main; main(['status']); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE)
    assert not {"textual", "rich", "fastapi", "apprise"} & set(ended.stdout.split())
    Path("spendtop.db.status.json").write_text(
        '{"at": 0, "url": "", "today": {"nano": 0, "unpriced": 0, "requests": 0},'
        ' "hour": {"nano": 0, "unpriced": 0, "requests": 0}, "limits": []}'
    )
    quick = script.replace("['status']", f"['status', '--database-url', 'sqlite:///{Path.cwd()}/spendtop.db']")
    ended = subprocess.run([sys.executable, "-c", quick], capture_output=True, text=True, timeout=DEADLINE)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert not {"textual", "sqlalchemy", "sqlmodel", "pydantic", "msgspec", "asyncio", "email"} & loaded


def test_main_reads_the_process_arguments_when_it_is_given_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["spendtop", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("spendtop ")
