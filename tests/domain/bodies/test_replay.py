"""A request that is sent again, from a shell and from Python."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

import pytest

from spendtop.domain.bodies.replay import as_curl, as_python
from spendtop.domain.errors import UsageError
from tests.waiting import DEADLINE

HOSTILE = 'it\'s $(touch x) `y` "z" \x1b[2J \u202e é\n'
BODY = {"model": "m", "messages": [{"role": "user", "content": HOSTILE}], "stream": False, "stop": None}


@pytest.mark.parametrize(
    ("provider", "url", "header"),
    [
        ("openai", "https://api.openai.com/v1/chat/completions", "Authorization: Bearer the-key"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "x-api-key: the-key"),
        (None, "https://HOST/v1/chat/completions", "Authorization: Bearer the-key"),
    ],
)
def test_the_command_sends_the_body_as_it_is(tmp_path: Path, provider: str | None, url: str, header: str) -> None:
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word"; done > words\n')
    curl.chmod(0o755)
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "API_KEY"), "the-key")
    script = as_curl(provider, json.dumps(BODY).encode())
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **keys}
    subprocess.run(["sh", "-eu", "-c", script], env=environment, cwd=tmp_path, check=True, timeout=DEADLINE)
    words = (tmp_path / "words").read_text().split("\0")
    assert words[0] == url and header in words
    assert json.loads(words[words.index("--data-raw") + 1]) == BODY
    assert not (tmp_path / "x").exists()


def test_the_program_is_one_and_holds_the_body() -> None:
    program = as_python("openai", json.dumps(BODY).encode())
    assert program.isascii() and "\x1b" not in program
    body = program.partition("body = ")[2].partition("headers = ")[0]
    assert ast.literal_eval(body) == BODY
    compile(program, "program", "exec")
    assert 'os.environ["OPENAI_API_KEY"]' in program


def test_a_body_of_the_other_interface_goes_to_its_own_address() -> None:
    assert "https://api.openai.com/v1/responses" in as_curl("openai", b'{"model": "m", "input": "hi"}')


@pytest.mark.parametrize("body", [None, b"", b"[1]", b'{"model": "cut', b"\xff"])
def test_a_body_that_cannot_be_sent_is_refused(body: bytes | None) -> None:
    for form in (as_curl, as_python):
        with pytest.raises(UsageError, match="There is nothing to send again"):
            form("openai", body)
