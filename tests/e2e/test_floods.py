"""Oversized and ambiguous posts, and clients that come too often: they end, and the others are answered."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from spendtop.api.guards import MOST_FAILURES_PER_MINUTE
from tests.e2e.processes import CollectorProcess, environment
from tests.e2e.pushing import (
    ADMIN,
    API_KEY,
    INGEST_KEY,
    ITEM,
    KEYED,
    OTHER_INGEST_KEY,
    RECEIVER,
    connected,
    exchanged,
    from_address,
    head,
    pushes,
    receiving,
    resident,
    stored,
)
from tests.waiting import eventually

MIB = 1024 * 1024
PING = b"GET /ping HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
LARGEST = {"/ingest": 8 * MIB, "/log": 8 * MIB, "/litellm": 32 * MIB, "/v1/traces": 32 * MIB}
BOMB_UNPACKS_TO = 512 * MIB


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector that takes pushes."""
    with receiving(tmp_path_factory.mktemp("floods")) as found:
        yield found


def endless(path: str, key: str) -> bytes:
    """The head of a post whose body comes in chunks, for ever."""
    return f"POST {path} HTTP/1.1\r\nHost: here\r\nX-Ingest-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def sent_until_refused(collector: CollectorProcess, beginning: bytes, most: int) -> tuple[bytes, int]:
    """How the answer to an endless body begins, and how many bytes of it were taken."""
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    taken = 0
    with connected(collector) as connection:
        connection.sendall(beginning)
        try:
            while taken < most:
                connection.sendall(chunk)
                taken += 0x10000
        except ConnectionError:
            return b"", taken
        return connection.recv(12), taken


@pytest.mark.parametrize("path", LARGEST)
def test_nobody_without_a_key_fills_the_memory(collector: CollectorProcess, path: str) -> None:
    before = resident(collector)
    for _ in range(5):
        answer, taken = sent_until_refused(collector, endless(path, "wrong"), 100 * MIB)
        assert (answer, taken < 30 * MIB) == (b"", True)
    assert resident(collector) - before < 20 * MIB


@pytest.mark.parametrize("path", LARGEST)
def test_a_body_in_chunks_ends_at_the_largest_that_is_taken(collector: CollectorProcess, path: str) -> None:
    before = stored(collector)
    answer, taken = sent_until_refused(collector, endless(path, INGEST_KEY), LARGEST[path] + 0x10000)
    assert (answer, taken) == (b"HTTP/1.1 413", LARGEST[path] + 0x10000)
    assert stored(collector) == before


def bomb() -> bytes:
    """A gzip stream of a few bytes that unpacks to very many."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    beginning = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return beginning + again * (BOMB_UNPACKS_TO // MIB - 1) + packer.flush()


def test_a_gzip_bomb_is_refused_and_its_memory_given_back(collector: CollectorProcess) -> None:
    raw = bomb()
    assert len(raw) < MIB
    headers = {**KEYED, "Content-Encoding": "gzip", "Content-Type": "application/x-protobuf"}

    def post_to_all() -> None:
        for path in ("/v1/traces", "/ingest", "/log", "/litellm", "/webhook"):
            status = 413 if path == "/v1/traces" else 415
            assert collector.client.post(path, content=raw, headers=headers).status_code == status

    post_to_all()  # what is loaded for the first post of its kind stays
    before = resident(collector)
    for _ in range(3):
        post_to_all()
    assert resident(collector) - before < 100 * MIB


def empty_spans() -> bytes:
    """An export of 16 MiB that holds nothing but eight million empty spans."""
    scope = b"\x12\x00" * (8 * MIB)
    resource = b"\x12" + _varint(len(scope)) + scope
    return b"\x0a" + _varint(len(resource)) + resource


def _varint(number: int) -> bytes:
    return bytes(number >> shift & 127 | (128 if number >> shift + 7 else 0) for shift in range(0, 28, 7))


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("content_type", ["application/x-protobuf", "application/json"])
def test_millions_of_empty_spans_are_refused_and_need_little_memory(
    collector: CollectorProcess, content_type: str, coding: str
) -> None:
    in_json = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%b{}]}]}]}' % (b"{}," * (5 * MIB))
    raw = in_json if content_type == "application/json" else empty_spans()
    headers = {**KEYED, "Content-Type": content_type, "Content-Encoding": coding}
    before = resident(collector)
    for _ in range(2):
        packed = gzip.compress(raw, 1) if coding == "gzip" else raw
        answer = collector.client.post("/v1/traces", content=packed, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_items")
    assert resident(collector) - before < 150 * MIB


def ambiguous(path: str) -> dict[str, bytes]:
    """Requests that two servers could understand in two ways. Each hides a good push."""
    raw, content_type = pushes()[path]
    hidden = head(path, f"Content-Length: {len(raw)}", f"Content-Type: {content_type}") + raw
    size = f"Content-Length: {len(hidden)}"
    return {
        "two kinds of length": head(path, size, "Transfer-Encoding: chunked") + b"0\r\n\r\n" + hidden,
        "two lengths": head(path, "Content-Length: 0", size) + hidden,
        "a negative length": head(path, "Content-Length: -1") + hidden,
        "a length that is no number": head(path, "Content-Length: 0x10") + hidden,
        "a signed length": head(path, "Content-Length: +0") + hidden,
        "a list of lengths": head(path, f"Content-Length: 0, {len(hidden)}") + hidden,
        "a chunk beyond all sizes": head(path, "Transfer-Encoding: chunked") + b"fffffffffffffffff\r\n" + hidden,
        "a coding that is unknown": head(path, "Transfer-Encoding: xchunked") + b"0\r\n\r\n" + hidden,
        "a folded header": head(path, size, "X-A: b", " folded") + hidden,
        "a bare line end": head(path, size).replace(b"\r\n", b"\n") + hidden,
        "a space before the colon": head(path, "Content-Length : 0") + hidden,
    }


@pytest.mark.parametrize("path", ["/ingest", "/v1/traces"])
@pytest.mark.parametrize("name", ambiguous("/ingest"))
def test_an_ambiguous_push_ends_the_connection_and_hides_none(
    collector: CollectorProcess, path: str, name: str
) -> None:
    before = stored(collector)
    answer = exchanged(collector, ambiguous(path)[name])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert stored(collector) == before


@pytest.mark.parametrize("path", pushes())
def test_the_body_of_a_refused_push_is_never_a_request(collector: CollectorProcess, path: str) -> None:
    raw, content_type = pushes()[path]
    hidden = head(path, f"Content-Length: {len(raw)}", f"Content-Type: {content_type}") + raw
    wrong = head(path, f"Content-Length: {len(hidden)}").replace(INGEST_KEY.encode(), b"wrong")
    before = stored(collector)
    answer = exchanged(collector, wrong + hidden + PING)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.count(b"HTTP/1.1 ") == 2
    assert answer.endswith(b"pong")
    assert stored(collector) == before


def test_a_push_that_is_cut_off_is_not_stored(collector: CollectorProcess) -> None:
    raw, _ = pushes()["/ingest"]
    before = stored(collector)
    with connected(collector) as connection:
        connection.sendall(head("/ingest", f"Content-Length: {len(raw) + 1}") + raw)
    assert collector.client.get("/ping").text == "pong"
    assert stored(collector) == before


def test_who_guesses_keys_is_slowed_down_and_who_has_one_is_not(
    collector: CollectorProcess, addresses: Iterator[str]
) -> None:
    def guess(client: httpx.Client) -> list[int]:
        spoofed = ({"X-Ingest-Key": f"guess-{number}", "X-Forwarded-For": f"10.0.0.{number}"} for number in range(250))
        return [client.post("/ingest", json=ITEM, headers=headers).status_code for headers in spoofed]

    before = stored(collector)
    with from_address(collector, next(addresses)) as client, ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        guessing = pool.submit(guess, client)
        pushed = [client.post("/ingest", json=ITEM, headers=KEYED).status_code for _ in range(100)]
        guesses = guessing.result()
        pushed += [client.post("/ingest", json=ITEM, headers=KEYED).status_code for _ in range(10)]
        limited = eventually(lambda: refused(client))
        allowed = client.get("/limits", headers=ADMIN)
        refilled = 1 + int((time.monotonic() - started) * MOST_FAILURES_PER_MINUTE / 60)
    assert set(pushed) == {200}
    assert guesses[:MOST_FAILURES_PER_MINUTE] == [401] * MOST_FAILURES_PER_MINUTE
    assert set(guesses) <= {401, 429}
    assert guesses.count(401) <= MOST_FAILURES_PER_MINUTE + refilled
    assert allowed.status_code == 200
    assert int(limited.headers["retry-after"]) >= 1
    assert stored(collector) == before + len(pushed)


def refused(client: httpx.Client) -> httpx.Response | None:
    """The answer to one more guess once it is refused: the bucket refills while the others are answered."""
    answer = client.get("/limits", headers={"X-API-Key": "guess"})
    return answer if answer.status_code == 429 else None


@pytest.mark.replaces("push/rates")
def test_the_older_systems_names_set_how_often_a_key_may_come(tmp_path: Path) -> None:
    older = {
        "SPENDTOP_OLD_NAMES": "1",
        "INGEST_RPM": "60",
        "INGEST_BURST": "5",
        "RATE_LIMIT_RPM": "60",
        "RATE_LIMIT_BURST": "6",
        "RATE_LIMIT_EXEMPT": "/ping,/metrics",
    }
    with receiving(tmp_path, RECEIVER, environ=environment(tmp_path) | older) as collector:
        started = time.monotonic()
        pushed = [collector.client.post("/ingest", json=ITEM, headers=KEYED) for _ in range(30)]
        others = collector.client.post("/ingest", json=ITEM, headers={"X-Ingest-Key": OTHER_INGEST_KEY})
        read = [collector.client.get("/limits", headers=ADMIN) for _ in range(30)]
        exempt = [collector.client.get("/metrics", headers=ADMIN) for _ in range(30)]
        refilled = 1 + int(time.monotonic() - started)
        counted = exempt[-1].json()
        assert stored(collector) == sum(answer.status_code == 200 for answer in [*pushed, others])
    assert others.status_code == 200
    assert {answer.status_code for answer in exempt} == {200}
    for answers, burst in ((pushed, 5), (read, 5)):  # one of six was spent on making the token
        limited = [answer for answer in answers if answer.status_code == 429]
        assert burst <= len(answers) - len(limited) <= burst + refilled
        assert {answer.headers["retry-after"] for answer in limited} <= {"1"}
    assert (counted["ingest"]["rpm"], counted["ingest"]["burst"]) == (60, 5)
    assert counted["counters"]["rate_limited"] >= 2 * (30 - 5 - refilled)
    assert API_KEY not in collector.out + collector.err
