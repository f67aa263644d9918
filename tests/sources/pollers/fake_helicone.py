"""A Helicone to test against: a local HTTP server with its query API, its totals and its webhook management.

It has the real one's traps: success is 201, a leaf's second column or operator is ignored, the page is cut before
older versions of a row are left out, instants of a filter lose their fractions, totals count older versions too.
"""

from __future__ import annotations

import ipaddress
import json
import operator
import threading
import time
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from typing import Any
from urllib.parse import urlsplit

from spendtop.domain.clock import SECOND, Clock, to_datetime, to_micros

KEY = "sk-helicone-abcdefg-hijklmn-opqrstu-vwxyzab"
ELSEWHERE = json.dumps({"helicone_message": "fetching body from signed_url... contact support for more information"})
NOT_CACHED = "00000000-0000-0000-0000-000000000000"

QUERY = "/v1/request/query-clickhouse"
TOTAL_REQUESTS = "/v1/metrics/totalRequests"
TOTAL_COST = "/v1/metrics/totalCost"
WEBHOOKS = "/v1/webhooks"

_QUOTED = (
    "time_to_first_token",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "reasoning_tokens",
    "prompt_cache_read_tokens",
    "prompt_cache_write_tokens",
)
_TEXTS = {"model": "model", "provider": "provider", "user_id": "request_user_id", "request_id": "request_id"}
_NUMBERS = {"status": "response_status", "latency": "delay_ms", "cost": "cost"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "not-equals": operator.ne,
    "gte": operator.ge,
    "lte": operator.le,
    "gt": operator.gt,
    "lt": operator.lt,
}
_QUERY_FIELDS = {"filter", "offset", "limit", "sort", "isCached", "includeInputs", "isPartOfExperiment", "isScored"}
_FUTURE = 300 * SECOND
_LOCAL_ENDINGS = (".local", ".internal", ".lan", ".corp", "localhost")


@dataclass
class Row:
    """One version of a row, and its instant in UTC µs."""

    at: int
    fields: dict[str, Any]


@dataclass
class Asked:
    """One question that came."""

    method: str
    path: str
    body: Any


@dataclass
class _Fault:
    path: str
    status: int
    body: bytes
    headers: dict[str, str]
    skip: int
    times: int


class _Refused(Exception):
    def __init__(self, status: int, document: object) -> None:
        super().__init__(status)
        self.status = status
        self.document = document


def _says(error: str | None) -> dict[str, object]:
    return {"data": None, "error": error}


@dataclass
class FakeHelicone:
    """What this Helicone has, and how it behaves."""

    clock: Clock = lambda: time.time_ns() // 1000
    key: str = KEY
    permissions: str = "rw"
    quotes_integers: bool = False
    delivers_test: Callable[[str], str | None] = lambda destination: None
    """Called with a webhook's destination when its test is asked for; returns why that failed."""
    rows: list[Row] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._faults: list[_Fault] = []
        self._lock = threading.RLock()
        self._next_webhook = 1

    def add(self, at: int, **fields: Any) -> dict[str, Any]:
        """A row for a request that began at `at` (UTC µs); `fields` replace what a plain one says. Late is allowed."""
        row = _plain_row(at, self.clock())
        properties = fields.pop("properties", {})
        row |= {"properties": properties, "request_properties": properties} | fields
        row["cost"] = max(row["cost"], 0)
        with self._lock:
            self.rows.append(Row(_shown_at(at), row))
            self.rows.sort(key=lambda each: each.at)
        return row

    def add_many(self, instants: list[int], **fields: Any) -> list[str]:
        """Plain rows; returns their ids."""
        rows = [Row(_shown_at(at), _plain_row(at, self.clock()) | fields) for at in instants]
        with self._lock:
            self.rows = sorted([*self.rows, *rows], key=lambda each: each.at)
        return [row.fields["request_id"] for row in rows]

    def correct(self, request_id: str, **fields: Any) -> None:
        """A newer version of a row; the older one stays in the table."""
        with self._lock:
            known = max((row for row in self.rows if row.fields["request_id"] == request_id), key=_version)
            changed_at = to_micros(_moment(known.fields["updated_at"])) + 1000
            newer = {**known.fields, **fields, "updated_at": _iso(changed_at)}
            self.rows.append(Row(known.at, newer))
            self.rows.sort(key=lambda each: each.at)

    def drop(self, request_id: str) -> None:
        """Forget a row."""
        with self._lock:
            self.rows = [row for row in self.rows if row.fields["request_id"] != request_id]

    def fail(
        self,
        path: str,
        status: int,
        document: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Answer questions to a path in this way, `times` times, after `skip` of them were answered truly."""
        body = json.dumps(document).encode() if raw is None else raw
        with self._lock:
            self._faults.append(_Fault(path, status, body, headers or {}, skip, times))

    def questions(self, path: str) -> list[Any]:
        """The bodies of all questions to a path."""
        with self._lock:
            return [asked.body for asked in self.asked if asked.path == path]

    @contextmanager
    def running(self) -> Iterator[FakeHelicone]:
        """Answers at `url` meanwhile."""
        fake = self

        class Handler(_Handler):
            helicone = fake

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of an answer."""
        path = urlsplit(target).path
        with self._lock:
            self.asked.append(Asked(method, path, body))
            fault = self._fault(path)
            if fault is not None:
                return fault.status, fault.body, fault.headers
            try:
                self._authenticate(method, token)
                status, document = self._route(method, path, body)
            except _Refused as refused:
                status, document = refused.status, refused.document
            raw = document if isinstance(document, str) else json.dumps(document)
            return status, raw.encode(), {}

    def _fault(self, path: str) -> _Fault | None:
        for fault in self._faults:
            if not path.startswith(fault.path) or not fault.times:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
        return None

    def _authenticate(self, method: str, token: str) -> None:
        token = token.removeprefix("Bearer ")
        if not token.startswith(("sk-", "pk-")):
            raise _Refused(400, "Invalid token.")
        if token != self.key:
            raise _Refused(401, {"error": "No API key found", "trace": "isAuthenticated.error"})
        if ("r" if method == "GET" else "w") not in self.permissions:
            raise _Refused(401, {"error": None, "trace": "isAuthenticated.error"})

    def _route(self, method: str, path: str, body: Any) -> tuple[int, object]:
        match method, path.strip("/").split("/"):
            case "POST", ["v1", "request", "query-clickhouse"]:
                return 201, {"data": self._query(body), "error": None}
            case "POST", ["v1", "request", "query"]:
                return 500, _says('relation "request" does not exist')
            case "POST", ["v1", "metrics", "totalRequests"]:
                return 200, {"data": len(self._spanned(body)), "error": None}
            case "POST", ["v1", "metrics", "totalCost"]:
                return 200, {"data": sum(row.fields["cost"] for row in self._spanned(body)), "error": None}
            case "GET", ["v1", "request", request_id]:
                return 200, self._one(request_id)
            case _, ["v1", "webhooks", *rest]:
                return self._webhook(method, rest, body)
        return 404, {"error": "Not found"}

    def _query(self, body: Any) -> list[dict[str, Any]]:
        _no_excess(body, _QUERY_FIELDS)
        limit, offset = body.get("limit", 10), body.get("offset", 0)
        if limit > 1000:
            raise _Refused(500, _says("invalid limit"))
        if set(body.get("sort", {})) - {"created_at"}:
            raise AssertionError("this Helicone sorts by created_at only")
        matches, (since, until) = compiled(body["filter"]), _span(body["filter"])
        first = bisect_left(self.rows, since, key=lambda row: row.at)
        last = bisect_right(self.rows, min(until, self.clock() + _FUTURE), key=lambda row: row.at)
        found = [row for row in self.rows[first:last] if matches(row)]
        if body.get("sort", {}).get("created_at", "desc") == "desc":
            found.reverse()
        page: dict[str, Row] = {}
        for row in found[offset : offset + limit]:
            known = page.get(row.fields["request_id"])
            if known is None or _version(row) > _version(known):
                page[row.fields["request_id"]] = row
        return [self._shown(row.fields) for row in page.values()]

    def _spanned(self, body: Any) -> list[Row]:
        _no_excess(body, {"filter", "timeFilter"})
        matches = compiled(body["filter"])
        start, end = (to_micros(_moment(body["timeFilter"][name])) for name in ("start", "end"))
        return [row for row in self.rows if start <= row.at <= end and matches(row)]

    def _one(self, request_id: str) -> dict[str, Any]:
        found = [row for row in self.rows if row.fields["request_id"] == request_id]
        if not found:
            return _says(None)
        fields = self._shown(max(found, key=_version).fields)
        return {"data": {**fields, "signed_body_url": "https://s3.example/dead"}, "error": None}

    def _shown(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not self.quotes_integers:
            return fields
        quoted = {name: str(fields[name]) for name in _QUOTED if fields[name] is not None}
        return {**fields, **quoted}

    def _webhook(self, method: str, rest: list[str], body: Any) -> tuple[int, object]:
        match method, rest:
            case "POST", []:
                return self._create_webhook(body)
            case "GET", []:
                return 200, {"data": self.webhooks, "error": None}
            case "DELETE", [webhook_id]:
                self.webhooks = [each for each in self.webhooks if str(each["id"]) != webhook_id]
                return 201, _says(None)
            case "POST", [webhook_id, "test"]:
                known = [each for each in self.webhooks if str(each["id"]) == webhook_id]
                if not known:
                    return 404, _says("Webhook not found")
                destination = known[0]["destination"]
                failure = self.delivers_test(destination) if is_public_https(destination) else "Invalid destination"
                if failure is not None:
                    return 500, _says(failure)
                return 200, {"data": {"success": True, "message": "Test webhook sent successfully"}, "error": None}
        return 404, {"error": "Not found"}

    def _create_webhook(self, body: Any) -> tuple[int, object]:
        _no_excess(body, {"destination", "config", "includeData"})
        config = body["config"]
        if not 0 <= config.get("sampleRate", 100) <= 100:
            return 400, _says("Sample rate must be between 0 and 100")
        if not isinstance(config.get("propertyFilters", []), list):
            return 400, _says("Property filters must be an array")
        self.webhooks.append(
            {
                "id": str(self._next_webhook) if self.quotes_integers else self._next_webhook,
                "created_at": _iso(self.clock()),
                "destination": body["destination"],
                "version": "2024-10-22",
                "config": json.dumps(config) if self.quotes_integers else {**config, "includeData": True},
                "hmac_key": uuid.uuid4().hex * 2,
            }
        )
        self._next_webhook += 1
        return 200, {"data": [], "error": None}


def is_public_https(destination: str) -> bool:
    """Whether Helicone would send to an address at all; it tells that only when a test is asked for."""
    parts = urlsplit(destination)
    host = parts.hostname or ""
    if parts.scheme != "https" or not host or host.endswith(_LOCAL_ENDINGS):
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return True


def compiled(node: Any) -> Callable[[Row], bool]:
    """A filter as Helicone understands it. Raises what becomes a 422."""
    if node == "all" or node == {}:
        return lambda row: True
    if set(node) == {"left", "operator", "right"}:
        left, right = compiled(node["left"]), compiled(node["right"])
        if node["operator"] == "and":
            return lambda row: left(row) and right(row)
        if node["operator"] == "or":
            return lambda row: left(row) or right(row)
        raise _invalid("filter.operator")
    if set(node) != {"request_response_rmt"}:
        raise _invalid("filter")
    column, condition = next(iter(node["request_response_rmt"].items()))
    if column == "properties":
        column, condition = next(iter(condition.items()))
        return lambda row: row.fields["properties"].get(column) == condition["equals"]
    operation, value = next(iter(condition.items()))
    return _leaf(column, operation, value)


def _span(node: Any) -> tuple[float, float]:
    """Instants outside of which no row matches a filter."""
    if node in ("all", {}) or node.get("operator") == "or":
        return -inf, inf
    if "left" in node:
        (since, until), (later, earlier) = _span(node["left"]), _span(node["right"])
        return max(since, later), min(until, earlier)
    condition = node["request_response_rmt"].get("request_created_at", {})
    at = {operation: to_micros(_moment(value)) // SECOND * SECOND for operation, value in condition.items()}
    return at.get("gte", -inf), at.get("lt", inf)


def _leaf(column: str, operation: str, value: Any) -> Callable[[Row], bool]:
    compare = _COMPARE.get(operation)
    if compare is None:
        raise _invalid(f"filter.{column}.{operation}")
    if column == "request_created_at":
        if not isinstance(value, str):
            raise _invalid("filter.request_created_at")
        instant = to_micros(_moment(value))
        whole = instant - instant % SECOND
        return lambda row: compare(row.at, whole)
    if column == "cached":
        return lambda row: compare(row.fields["cache_reference_id"] != NOT_CACHED, value)
    name = _TEXTS.get(column) or _NUMBERS.get(column)
    if name is None:
        raise _invalid(f"filter.{column}")
    return lambda row: compare(row.fields[name], value)


def _invalid(where: str) -> _Refused:
    message = {f"requestBody.{where}": {"message": "Could not match the union", "value": "secret"}}
    return _Refused(422, {"message": "Validation Failed", "details": message})


def _no_excess(body: Any, known: set[str]) -> None:
    excess = set(body) - known
    if excess:
        raise _invalid(excess.pop())


def _version(row: Row) -> str:
    return str(row.fields["updated_at"])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown_at(micros: int) -> int:
    """Instants have milliseconds here."""
    return micros - micros % 1000


def _iso(micros: int) -> str:
    return to_datetime(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain_row(at: int, now: int) -> dict[str, Any]:
    """A successful chat of OpenAI's: 13 and 17 tokens, 0.0002025 USD."""
    request_id = str(uuid.uuid4())
    model = "gpt-4o-2024-08-06"
    return {
        "request_id": request_id,
        "response_id": str(uuid.uuid4()),
        "request_created_at": _iso(at),
        "response_created_at": _iso(at + 930_000),
        "updated_at": _iso(max(at, now)),
        "response_status": 200,
        "request_user_id": "alice",
        "request_properties": {},
        "properties": {},
        "provider": "OPENAI",
        "request_model": model,
        "model": model,
        "delay_ms": 930,
        "time_to_first_token": None,
        "prompt_tokens": 13,
        "completion_tokens": 17,
        "reasoning_tokens": 0,
        "prompt_cache_read_tokens": 0,
        "prompt_cache_write_tokens": 0,
        "total_tokens": 30,
        "cost": 0.0002025,
        "request_body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Grüße 👋"}]},
        "response_body": {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion",
            "created": at // SECOND,
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hey"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 13, "completion_tokens": 17, "total_tokens": 30},
        },
        "storage_location": "clickhouse",
        "cache_reference_id": NOT_CACHED,
        "cache_enabled": False,
        "target_url": "https://api.openai.com/v1/chat/completions",
        "country_code": "",
        "request_referrer": "",
        "ai_gateway_body_mapping": "",
        "prompt_id": "",
        "prompt_version": "",
        "scores": {},
        "asset_ids": [],
        "feedback_created_at": None,
    }


class _Handler(BaseHTTPRequestHandler):
    helicone: FakeHelicone
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits for the answer to its head, once a connection is used again

    def do_GET(self) -> None:
        self._answer(None)

    def do_DELETE(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(json.loads(raw) if raw else None)

    def _answer(self, body: Any) -> None:
        token = self.headers.get("authorization", "")
        status, raw, headers = self.helicone.answer(self.command, self.path, token, body)
        self.send_response(status)
        usual = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(raw))}
        limits = {"RateLimit-Limit": "1000", "RateLimit-Remaining": "900", "RateLimit-Reset": "240"}
        for name, value in {**usual, **limits, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass
