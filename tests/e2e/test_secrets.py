"""No key leaves its home: not by what is printed, logged, stored, answered or shown in the process list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from spendtop.store import bodies
from tests.alerts.sinks import HttpSink
from tests.e2e.processes import CollectorProcess, collecting, refused, rows, save, webhook
from tests.helicone_captures import sign
from tests.waiting import eventually

CANARIES = {
    "api_key": "canary-of-the-api-key-0123456789",
    "ingest": "canary-of-an-ingest-key-0123456789",
    "webhook": "canary-of-the-webhook-secret-0123456789",
    "helicone": "canary-of-the-helicone-key-0123456789",
    "openai": "canary-of-the-admin-key-0123456789",
    "router": "canary-of-an-account-key-0123456789",
    "channel": "canary-of-the-channel-0123456789",
}


PROMPT = "Nobody who reads a log is to read this."
THE_WAY_OF_AN_EVENT = (
    r"api\.app: POST /webhook: 200",
    r"services\.recording\.transaction: request \d+ of helicone: stored, \$1\.00 \(reported by gateway\)",
    r"services\.recording\.transaction: marked: all 1",
    r"services\.recording\.transaction: unrecognized event of helicone: quarantined, kept as 1",
    r"api\.intake: helicone refused: ",
    r"api\.app: GET /spending/summary: 200",
    r"services\.alerting\.evaluator: limit all, alert 1: exceeded at \$1\.00 of \$0\.01, tells exceeded",
    r"services\.alerting\.announcements: alert 1: exceeded for channel away",
    r"alerts\.outbox_loop: message \w+ to channel away: try 1, transient in \d+ ms",
)
"""What `--debug` logs, in any order."""


def config(web: HttpSink) -> str:
    return f"""\
[server]
port = 0
api_key = "{CANARIES["api_key"]}"
ingest_keys = {{ default = "{CANARIES["ingest"]}" }}
[helicone]
api_key = "{CANARIES["helicone"]}"
webhook_secrets = ["{CANARIES["webhook"]}"]
[openai]
admin_key = "{CANARIES["openai"]}"
[[account]]
name = "router"
provider = "openrouter"
key = "{CANARIES["router"]}"
[[limit]]
name = "all"
window = "24h"
usd = 0.01
[[channel]]
name = "refusing"
url = "json://user:{CANARIES["channel"]}@127.0.0.1:{web.port}/404"
[[channel]]
name = "away"
url = "json://user:{CANARIES["channel"]}@127.0.0.1:1/{CANARIES["channel"]}"
"""


def post(collector: CollectorProcess, raw: bytes) -> int:
    signature = sign_with(CANARIES["webhook"], raw)
    return collector.client.post("/webhook", content=raw, headers={"Helicone-Signature": signature}).status_code


def sign_with(secret: str, raw: bytes) -> str:
    import hmac

    return hmac.new(secret.encode(), raw, "sha256").hexdigest()


def provoke(collector: CollectorProcess, folder: Path) -> list[str]:
    """Everything that could make it talk; returns what it answered."""
    everything = " ".join(CANARIES.values())
    channel = f"json://user:{CANARIES['channel']}@127.0.0.1:1/{CANARIES['channel']}"
    prompt = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"{PROMPT} {everything} {channel}"}]}
    assert post(collector, webhook("with-secrets", 1.0, request_body=prompt)) == 200
    stored = collector.rows("SELECT id FROM request")[0][0]
    assert post(collector, msgspec.json.encode([everything])) == 202
    assert post(collector, everything.encode()) == 400
    answers = [
        collector.client.post("/webhook", content=b"{}", headers={"Helicone-Signature": sign(b"{}")}),
        *(collector.client.get(path, headers={"X-API-Key": key}) for path in PATHS for key in CANARIES.values()),
        collector.client.get(f"/requests?q={CANARIES['api_key']}", headers={"X-API-Key": CANARIES["api_key"]}),
        collector.client.get("/requests?cursor=nonsense", headers={"X-API-Key": CANARIES["api_key"]}),
        collector.client.get(f"/requests/{stored}", headers={"X-API-Key": CANARIES["api_key"]}),
    ]
    eventually(lambda: collector.err.count("WARNING spendtop.alerts") >= 2)
    file = folder / "spendtop.toml"
    good = file.read_text()
    save(file, good + f'[[limit]]\nname = "{CANARIES["router"]}"\nkey = "{CANARIES["openai"]}"\n')
    eventually(lambda: "refused" in collector.out)
    save(file, good.replace(CANARIES["ingest"], "canary-of-a-second-ingest-key"))
    eventually(lambda: "Configuration applied" in collector.out)
    return [answer.text for answer in answers]


PATHS = ("/health", "/requests", "/limits", "/spending/summary", "/openapi.json", "/nothing", "/requests/1")


def process_arguments(collector: CollectorProcess) -> Iterator[bytes]:
    """What `ps` shows of it and of its children."""
    own = Path(f"/proc/{collector.pid}")
    yield (own / "cmdline").read_bytes()
    for child in (own / "task" / str(collector.pid) / "children").read_text().split():
        yield Path(f"/proc/{child}/cmdline").read_bytes()


def leaks(told: dict[str, bytes]) -> list[tuple[str, str]]:
    return [
        (place, name)
        for place, text in told.items()
        for name, canary in [*CANARIES.items(), ("any", "canary-of")]
        if canary.encode() in text
    ]


@pytest.mark.replaces("monitor/debug")
def test_no_key_is_found_anywhere_but_in_the_configuration(tmp_path: Path) -> None:
    with HttpSink() as web, collecting(tmp_path, config(web), "--debug") as collector:
        answers = provoke(collector, tmp_path)
        arguments = b"".join(process_arguments(collector))
        health = json.dumps(collector.health(CANARIES["api_key"]))
        eventually((tmp_path / "spendtop.db.status.json").exists)
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        collector.end()
    files |= {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    del files["spendtop.toml"]
    (kept,) = rows(tmp_path, "SELECT raw FROM quarantine")[0]
    told = {**files, "arguments": arguments, "health": health.encode(), "answers": "".join(answers).encode()}
    told["quarantine"] = bodies.decode(kept)[0] or b""
    assert {"out", "err", "spendtop.db", "spendtop.db.status.json", "spendtop.db-wal"} <= files.keys()
    assert "counters" in health
    assert b"[redacted]" in told["quarantine"]
    assert b"[redacted]" in told["answers"]
    # A limit's name is not a secret; it is quoted from the broken file.
    assert [leak for leak in leaks(told) if leak != ("out", "router")] == []
    assert b"Traceback" not in files["err"]
    log = files["err"].decode()
    assert PROMPT not in log
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+ spendtop", line) for line in log.splitlines())
    assert [step for step in THE_WAY_OF_AN_EVENT if not re.search(f"DEBUG spendtop.{step}", log)] == []


def test_a_store_that_refuses_us_is_told_without_its_password(tmp_path: Path) -> None:
    ended = refused(tmp_path, f'[database]\nurl = "postgresql://u:{CANARIES["openai"]}@127.0.0.1:1/x?bad=option"\n')
    assert ended.code != 0
    assert leaks({"out": ended.out.encode(), "err": ended.err.encode()}) == []
