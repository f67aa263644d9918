"""`spendtop --no-ui`: the collector in the foreground."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from threading import Timer

from spendtop.cli.options import Options, known_stores, load_settings, settled
from spendtop.collector.collector import run as collect
from spendtop.collector.process.line_times import TIME_FORMAT, is_journal
from spendtop.collector.process.log_file import LogFile
from spendtop.collector.setup import CompanionContext, Setup
from spendtop.collector.supervisor import Loop
from spendtop.config.load import Loaded
from spendtop.domain.clock import to_iso
from spendtop.domain.errors import ExitCode
from spendtop.domain.untrusted import clean_text

_NOISY = ("stamina", "uvicorn")
"""Libraries that may only tell of errors: they warn of what is told elsewhere, or of every stranger's rubbish."""

_LAST_SECONDS = 3.0
"""What the rest of the end may take once all is stored."""
_STDERR = 2
_SWITCH_SECONDS = 0.0005
"""How long the event loop keeps the interpreter while the writer waits for it to go on with a commit."""


class TextLines(logging.Formatter):
    """For people. Addresses and exceptions may quote what a client sent."""

    def __init__(self) -> None:
        time_of_line = "" if is_journal(_STDERR) else "%(asctime)s "
        super().__init__(f"{time_of_line}%(levelname)s %(name)s: %(message)s", TIME_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        return clean_text(super().format(record))


class JsonLines(logging.Formatter):
    """For machines, as what is printed beside them."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": to_iso(int(record.created * 1e6)),
            "event": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean_text(super().format(record)),
        }
        return json.dumps(line)


def run(options: Options, companions: Mapping[str, Callable[[CompanionContext], Loop]] | None = None) -> int:
    """Collect until a signal; returns the exit code."""
    as_json = options.log_format == "json"
    log_to_stderr(options.debug, JsonLines() if as_json else TextLines())
    sys.setswitchinterval(_SWITCH_SECONDS)
    loaded = load_settings(options)
    options = settled(options, loaded)
    setup = Setup(
        loaded=loaded,
        reload=lambda: load_settings(options),
        clock=lambda: time.time_ns() // 1000,
        prints=True,
        as_json=as_json,
        started_by=options.started_by,
        ready_descriptor=options.ready_fd,
        leash_descriptor=options.leash_fd,
        known_stores=None if options.command == "demo" else known_stores(),
        begins_anew=options.new_store,
        ended=_end_soon,
        companions={**(companions or {}), **_agents(options, loaded), **_tunnel(options, loaded), **_log_file(options)},
    )
    return collect(setup)


def _end_soon(code: ExitCode) -> None:
    """End the process whatever is in the way: a thread that looks up a name waits for nobody."""
    sys.stdout.flush()
    last = Timer(_LAST_SECONDS, os._exit, (int(code),))
    last.daemon = True
    last.start()


def _agents(options: Options, loaded: Loaded) -> Mapping[str, Callable[[CompanionContext], Loop]]:
    """What reads files of coding agents and pushes what they hold: not in a demo, nor where an older system's `.env`
    says what is wanted."""
    if options.no_agents or options.command == "demo" or loaded.files.env_file is not None:
        return {}
    from spendtop.collector.agents.push_loop import PushLoop
    from spendtop.collector.agents.reading_loop import ReadingLoop

    return {"agents": lambda rooms: ReadingLoop(rooms).run, "agents' pushes": lambda rooms: PushLoop(rooms).run}


def _log_file(options: Options) -> Mapping[str, Callable[[CompanionContext], Loop]]:
    """What keeps the file bounded that our output goes to, where whoever started us named it."""
    path = options.log_file
    return {} if path is None else {"log file": lambda _rooms: LogFile(path).run}


def _tunnel(options: Options, loaded: Loaded) -> Mapping[str, Callable[[CompanionContext], Loop]]:
    """The tunnel where one is wanted. Raises UsageError where it cannot be opened."""
    if options.tunnel is None:
        return {}
    from spendtop.collector.tunnel import Tunnel, authtoken

    token = authtoken(loaded.settings)
    return {"tunnel": lambda rooms: Tunnel(rooms, token, lambda: load_settings(options)).run}


def log_to_stderr(debug: bool, lines: logging.Formatter) -> None:
    """Log for operators: never a body or a secret, nor a character that moves a terminal's cursor.

    Only spendtop itself says more for `debug`: libraries' chatter names URLs, and holds what is stored.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(lines)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if debug:
        logging.getLogger("spendtop").setLevel(logging.DEBUG)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
