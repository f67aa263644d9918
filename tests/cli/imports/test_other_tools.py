"""Files and logs of other tools, as a user brings them in."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from spendtop.config.paths import data_folder
from spendtop.domain.clock import DAY, to_iso
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Reporter, Usage
from spendtop.domain.sources.records import INGEST, LITELLM
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.imported import imported_requests
from spendtop.store.tables import RequestTable
from tests.cli.conftest import Cli, minutes_ago
from tests.services.conftest import rows
from tests.sources.files.test_other_tools import CALL, LOG, OBSERVATION, SPEND
from tests.store.conftest import Recorded

KEY = "sk-master-of-the-proxy"


def spend_log(number: int) -> dict[str, Any]:
    at = to_iso(minutes_ago(number + 1))
    return {**SPEND, "request_id": f"chatcmpl-{number}", "litellm_call_id": f"call-{number}", "startTime": at}


def recent() -> dict[str, Any]:
    """The spend log, an hour ago."""
    return {**SPEND, "startTime": to_iso(minutes_ago(60)), "endTime": to_iso(minutes_ago(59))}


def test_a_file_is_imported_once_however_often_and_marked(cli: Cli, tmp_path: Path, home_store: Store) -> None:
    path = tmp_path / "langfuse.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"data": [OBSERVATION, {**OBSERVATION, "type": "SPAN"}]}).encode()))
    code, out, err = cli("import", "--from", "langfuse", str(path))
    assert (code, err) == (0, f"{path}: 1 row is no call (SPAN 1)\n")
    assert out.splitlines()[-1].split()[1:3] == ["1", "$0.0088"]
    assert cli("import", str(path)).out.splitlines()[-1].split()[1:] == ["0", "-", "-", "1", "-"]
    (row,) = json.loads(cli("requests", "--json").out)["data"]
    assert (row["imported"], row["sources"], row["external_ids"]) == (True, ["langfuse"], {"langfuse": "o1"})
    assert "langfuse (imported)" in cli("request", "o1").out


def test_columns_that_nobody_knows_are_said_and_change_nothing(cli: Cli, tmp_path: Path, home_store: Store) -> None:
    files = {
        "langfuse.json": json.dumps({"data": [{**OBSERVATION, "brand_new": {"deep": 1}, "\x1b[2J": 1}]}),
        "portkey.jsonl": json.dumps({**LOG, "brandNew": "x"}),
        "litellm.json": json.dumps({"data": [{**recent(), "brandNew": 1}]}),
        "table.csv": "timestamp,model,prompt_tokens,brand_new\n2026-11-01T10:00:00Z,gpt-4o,9,x\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    code, out, err = cli("import", *(str(tmp_path / name) for name in files))
    assert (code, out.splitlines()[-1].split()[:2]) == (0, ["total", "4"])
    assert f"{tmp_path / 'langfuse.json'}: 2 fields or columns are not known here and passed over" in err
    assert err.count("passed over: `brand_new`") == 2 and err.count("passed over: `brandNew`") == 2
    assert "\x1b" not in err


@pytest.mark.parametrize("pushed_first", [True, False])
def test_what_the_proxy_pushed_and_what_its_client_reported_is_one_request(
    cli: Cli, tmp_path: Path, spent: Recorded, pushed_first: bool
) -> None:
    at = minutes_ago(60)
    cost = Cost(reported=Usd.of("0.00018"), reported_by=Reporter.GATEWAY)
    shared: dict[str, Any] = {"occurred_at": at, "model": "gpt-4o-mini", "response_id": "chatcmpl-1"}
    usage = Usage(prompt=1000, completion=100)
    reports = [
        replace(spent.request(**shared, usage=usage, source=LITELLM, external_id=CALL), cost=cost),
        replace(spent.request(**shared, usage=usage, source=INGEST, external_id="own-1"), cost=cost),
    ]
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps(recent()) + "\n")
    for pushes in (True, False) if pushed_first else (False, True):
        if pushes:
            spent.add(reports)
        else:
            assert cli("import", str(path)).code == 0
    (row,) = rows(spent.store, RequestTable)
    assert set(json.loads(row.external_ids)) == {"litellm", "litellm-logs", "ingest"}
    assert (row.source, row.cost_nano) == ("litellm", 180_000)


def test_days_that_are_imported_are_told_from_those_that_were_watched(
    cli: Cli, tmp_path: Path, spent: Recorded
) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps(recent()) + "\n")
    today = minutes_ago(60) // DAY
    spent.add([spent.request(minutes_ago(60), provider="openai")])
    with spent.store.reading() as connection:
        assert imported_requests(connection, "openai", today, today) == {}
    cli("import", str(path))
    with spent.store.reading() as connection:
        assert imported_requests(connection, "openai", today - 9, today) == {today: 1}
        assert imported_requests(connection, "anthropic", today - 9, today) == {}


def test_what_cannot_be_imported_at_all_says_why_and_ends_with_2(cli: Cli, tmp_path: Path, home_store: Store) -> None:
    table, logs = tmp_path / "x.csv", tmp_path / "x.jsonl"
    table.write_text("weather,mood\nfine,good\n")
    for words in (("--format", "csv"), ()):
        code, _, err = cli("import", *words, str(table))
        assert code == 2 and "`timestamp`" in err
    logs.write_text(json.dumps({**LOG, "created_at": "soon"}) + "\n" + json.dumps({"id": "x"}) + "\n")
    code, out, err = cli("import", "--from", "portkey", str(logs))
    assert (code, out.split()[-1]) == (2, "2")
    assert "line 1: `created_at` has to be a date and time" in err and "Nothing could be imported" in err
    assert rows(home_store, RequestTable) == []


def test_a_file_of_another_tool_is_refused_before_a_store_is_made(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    path.write_text("<html>no</html>\n")
    for tool, column in (("langfuse", "traceId"), ("litellm", "call_type"), ("portkey", "ai_model")):
        code, out, err = cli("import", "--from", tool, str(path))
        assert (code, out) == (2, "") and f"`{column}`" in err
    (tmp_path / "empty").touch()
    assert cli("import", str(tmp_path / "empty")).code == cli("import", str(tmp_path / "gone")).code == 2
    assert not data_folder().exists()


def test_a_table_of_unknown_origin_is_imported_by_its_columns(cli: Cli, tmp_path: Path, home_store: Store) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(
        "timestamp,model,user,prompt_tokens,completion_tokens,cost\n2026-11-01T10:00:00Z,gpt-4o,ada,9,1,0.5\n"
    )
    assert cli("import", str(path)).code == cli("import", "--format", "csv", str(path)).code == 0
    (row,) = rows(home_store, RequestTable)
    assert (row.user_id, row.cost_nano, row.provider, row.source) == ("ada", 500_000_000, "openai", "table")


class Proxy(BaseHTTPRequestHandler):
    """Answers as LiteLLM's `/spend/logs/v2` does."""

    asked: ClassVar[list[dict[str, list[str]]]] = []
    logs: ClassVar[list[dict[str, Any]]] = []
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        Proxy.asked.append(query)
        status = 401 if self.headers["Authorization"] != f"Bearer {KEY}" else Proxy.status
        since, until = (query[f"{edge}_date"][0].replace(" ", "T") for edge in ("start", "end"))
        page, size = int(query["page"][0]), int(query["page_size"][0])
        within = [log for log in Proxy.logs if since <= log["startTime"][:19] <= until]
        body = json.dumps({"data": within[(page - 1) * size : page * size], "page": page}).encode()
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Proxy, "asked", [])
    monkeypatch.setattr(Proxy, "logs", [spend_log(number) for number in range(5)])
    monkeypatch.setattr("spendtop.cli.imports.litellm._PAGE", 2)
    monkeypatch.setenv("LITELLM_MASTER_KEY", KEY)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_proxy_is_asked_page_by_page_with_a_key_from_the_environment(
    cli: Cli, proxy: str, home_store: Store
) -> None:
    code, out, err = cli("import", "--from", "litellm", proxy, "--since", "yesterday")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].split()[:2] == [proxy, "5"]
    assert {row.response_id for row in rows(home_store, RequestTable)} == {f"chatcmpl-{n}" for n in range(5)}
    assert max(int(query["page"][0]) for query in Proxy.asked) >= 3
    assert cli("import", "--from", "litellm", proxy).out.splitlines()[-1].split()[1] == "0"


@pytest.mark.parametrize(
    ("status", "problem"),
    [(302, "answers 302"), (404, "answers 404"), (500, "with a database"), (401, "does not take the key")],
)
def test_a_proxy_that_does_not_answer_is_said_and_nothing_is_followed(
    cli: Cli, proxy: str, monkeypatch: pytest.MonkeyPatch, status: int, problem: str
) -> None:
    monkeypatch.setattr(Proxy, "status", status)
    code, _, err = cli("import", "--from", "litellm", proxy, "--since", "today")
    assert code == 2 and problem in err and KEY not in err
    assert len(Proxy.asked) == 1


def test_a_url_has_to_be_plain_and_needs_a_key(cli: Cli, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "without a key in it" in cli("import", "--from", "litellm", "http://u:p@proxy").err
    assert "Only LiteLLM" in cli("import", "--from", "portkey", proxy).err
    monkeypatch.delenv("LITELLM_MASTER_KEY")
    assert "LITELLM_MASTER_KEY" in cli("import", "--from", "litellm", proxy).err
    assert "belong to a URL" in cli("import", "--since", "today", "x.csv").err
