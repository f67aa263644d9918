"""The way in: `spendtop` and `python -m spendtop`. Turns what went wrong into one sentence and an exit code."""

from __future__ import annotations

import atexit
import codecs
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from spendtop.domain.errors import ExitCode, SpendtopError

_STATUS_LINE = ["statusline"]
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_LOG_LIMIT = 1024 * 1024
_GARBAGE_LOOKS = (300_000, 20, 50)
"""How seldom the interpreter looks for garbage in circles: while modules are loaded there is none, and a seventh of the
time would go into looking for it. What runs for long looks more often then."""
_IN_ASCII = "spendtop-ascii"
_ASCII = {"·": "-", "→": "->", "…": "...", "⏎": "|", "µ": "u", "×": "x"}
"""Our few signs beyond ASCII, for terminals that cannot show them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    os.umask(0o077)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # what else is installed sees no configuration of ours
    gc.set_threshold(*_GARBAGE_LOOKS)
    atexit.register(gc.freeze)  # what is left goes with the process; the interpreter would look through all of it twice
    try:
        words = sys.argv[1:] if argv is None else argv
        code = _print_line() if list(words) == _STATUS_LINE else _run(words)
        sys.stdout.flush()
        return code
    except SpendtopError as failure:
        return _complain(str(failure), failure.exit_code)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Nobody reads us; what is left in the buffer must not fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as failure:
        return _complain(_unexpected(failure), ExitCode.INTERNAL)


def _print_line() -> int:
    """The one command that is called with every answer of an agent, which waits for it: nothing else is loaded."""
    from spendtop.cli.agents.statusline import print_line

    return print_line()


def _run(argv: Sequence[str]) -> int:
    from spendtop.cli.parser import Information, parse

    try:
        command, options = parse(argv)
    except Information as information:
        sys.stdout.write(f"{information}\n")
        return ExitCode.OK
    _draw_with_what_the_terminal_has(options.ascii)
    return command.function()(options)


def _draw_with_what_the_terminal_has(ascii_only: bool) -> None:
    from io import TextIOWrapper

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and (ascii_only or stream.encoding.lower() != "utf-8"):
            codecs.register_error(_IN_ASCII, _replace_with_ascii)
            stream.reconfigure(encoding="ascii" if ascii_only else stream.encoding, errors=_IN_ASCII)


def _replace_with_ascii(failure: UnicodeError) -> tuple[str, int]:
    if not isinstance(failure, UnicodeEncodeError):
        raise failure
    unknown = failure.object[failure.start : failure.end]
    return "".join(_ASCII.get(sign, "?") for sign in unknown), failure.end


def _complain(sentence: str, code: int) -> int:
    from spendtop.domain.untrusted import clean_text

    sys.stdout.flush()
    sys.stderr.write(f"spendtop: {clean_text(sentence)}\n")
    return int(code)


def _unexpected(failure: Exception) -> str:
    name = type(failure).__name__
    try:
        return f"This should not have happened ({name}). The log says where: {_logged(failure)}"
    except OSError:
        return f"This should not have happened ({name}), and it cannot be logged."


def _logged(failure: Exception) -> Path:
    """Append the traceback, without variables and without keys, to the log; returns where that is."""
    import traceback
    from datetime import UTC, datetime

    from spendtop.config.paths import state_folder
    from spendtop.domain.bodies.redaction import Redactor

    path = state_folder() / "spendtop.log"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    too_long = path.exists() and path.stat().st_size > _LOG_LIMIT
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_TRUNC if too_long else os.O_APPEND)
    text = f"{datetime.now(UTC).isoformat()}\n{''.join(traceback.format_exception(failure))}\n"
    with os.fdopen(os.open(path, flags, 0o600), "wb") as log:
        log.write(Redactor(()).redact(text.encode("utf-8", "backslashreplace")))
    return path


if __name__ == "__main__":
    sys.exit(main())
