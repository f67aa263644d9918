"""`spendtop mcp`: a read-only MCP server on standard input and output."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import BinaryIO

from spendtop import __version__
from spendtop.cli.mcp.protocol import Server
from spendtop.cli.mcp.tools import INSTRUCTIONS, tools
from spendtop.cli.options import Options, load_readable
from spendtop.collector.process.garbage import seldom_collected_garbage
from spendtop.domain.errors import ExitCode

_LONGEST = 4 * 1024 * 1024
"""Bytes of a message; no question is nearly as long."""


def run(options: Options) -> int:
    """Answer until the client closes standard input."""
    if sys.stdin.isatty():
        sys.stderr.write(
            "This speaks MCP with an agent, which starts it by itself: `claude mcp add spendtop -- spendtop mcp`."
            " Ctrl+C ends it.\n"
        )
    answers = sys.stdout.buffer
    with redirect_stdout(sys.stderr):
        info = {"name": "spendtop", "title": "spendtop", "version": __version__}
        server = Server(info, INSTRUCTIONS, tools(load_readable(options).settings))
        with seldom_collected_garbage():
            serve(server, sys.stdin.buffer, answers)
    return ExitCode.OK


def serve(server: Server, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer line by line, until there is none any more."""
    while line := questions.readline(_LONGEST):
        is_whole = line.endswith(b"\n") or len(line) < _LONGEST
        while not line.endswith(b"\n") and (rest := questions.readline(_LONGEST)):
            line = rest  # of a message that is too long only its end is kept, which is no JSON either
        if line.strip() and (answer := server.answer(line if is_whole else b"")) is not None:
            answers.write(answer)
            answers.flush()
