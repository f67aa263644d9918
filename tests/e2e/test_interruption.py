"""Commands that hang in the look-up of a name end at Ctrl+C, with a sentence."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.e2e.processes import command, configured, environment
from tests.waiting import eventually

HANGING = """
import os, signal, socket, time

look_up = socket.getaddrinfo

def hang(host, *where, **how):
    if host in ("127.0.0.1", "localhost", b"127.0.0.1"):
        return look_up(host, *where, **how)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as in C, where no handler runs
    open(os.environ["LOOKED_UP"], "w").close()
    time.sleep(600)

socket.getaddrinfo = hang
"""
"""What a resolver does whose server does not answer."""
CONFIG = """
[helicone]
api_key = "sk-helicone-eu-abc"
webhook_secrets = ["s"]
[[channel]]
name = "ops"
url = "json://ops.example.org"
"""
COMMANDS = {
    "helicone status": "Asking Helicone for its webhooks: stopped.",
    "check --probe": "Looking what can be reached: stopped.",
    "send-test http://spend.example.org": "Posting to http://spend.example.org/webhook: stopped.",
    "spend --database-url postgresql://u@db.example.org/x": "Asking the store: stopped.",
}


def test_each_command_that_looks_up_names_ends_at_ctrl_c_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HANGING)
    file = configured(tmp_path, CONFIG)
    running: dict[str, subprocess.Popen[bytes]] = {}
    for number, words in enumerate(COMMANDS):
        hanging = {"PYTHONPATH": str(tmp_path), "LOOKED_UP": str(tmp_path / f"looked-up-{number}")}
        running[words] = subprocess.Popen(
            command(*words.split(), "--config", file),
            env=environment(tmp_path) | hanging | {"PYTHONWARNINGS": "ignore"},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    said: dict[str, tuple[int, str]] = {}
    for number, (words, process) in enumerate(running.items()):
        looked_up = tmp_path / f"looked-up-{number}"
        eventually(looked_up.exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        said[words] = process.returncode, err.decode()
    missing = {words: said[words] for words, sentence in COMMANDS.items() if sentence not in said[words][1]}
    assert (missing, {code for code, _ in said.values()}) == ({}, {130})
