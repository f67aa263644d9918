"""Who may in: each key opens its own routes and no other, and without a key only this machine is answered."""

from __future__ import annotations

from collections.abc import Iterator
from hmac import new as hmac_of
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import CollectorProcess, collecting, webhook
from tests.e2e.pushing import (
    ADMIN,
    API_KEY,
    INGEST_KEY,
    ITEM,
    KEYED,
    RECEIVER,
    from_address,
    pushes,
    receiving,
    stored,
)
from tests.helicone_captures import secret, sign
from tests.routes import ADMIN as ADMIN_ROUTES
from tests.routes import Route

Headers = list[tuple[str, str]]
PANEL = "https://panel.example"
SECRET = secret().decode()
WRONG: list[Headers] = [
    [],
    [("X-Ingest-Key", "")],
    [("X-Ingest-Key", INGEST_KEY[:-1])],
    [("X-Ingest-Key", INGEST_KEY + "x")],
    [("X-Ingest-Key", "ключ")],
    [("X-Ingest-Key", API_KEY)],
    [("X-Ingest-Key", SECRET)],
    [("X-API-Key", API_KEY)],
    [("X-API-Key", INGEST_KEY)],
    [("Authorization", f"Basic {INGEST_KEY}")],
    [("Authorization", f"Bearer {API_KEY}")],
    [("X-Ingest-Key", INGEST_KEY), ("X-Ingest-Key", INGEST_KEY)],
    [("X-Ingest-Key", INGEST_KEY), ("Authorization", f"Bearer {INGEST_KEY}")],
    [("Helicone-Signature", sign(pushes()["/ingest"][0]))],
]
"""Credentials that open no way in for pushes."""
WRONG_FOR_ADMIN: list[Headers] = [
    [],
    [("X-API-Key", INGEST_KEY)],
    [("X-API-Key", SECRET)],
    [("X-API-Key", "clé")],
    [("X-Ingest-Key", API_KEY)],
    [("Authorization", f"Basic {API_KEY}")],
    [("X-API-Key", API_KEY), ("Authorization", f"Bearer {API_KEY}")],
]
"""Credentials that open no admin route."""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector with every kind of key and an allowed page, and one recorded request."""
    config = RECEIVER.replace("port = 0", f'port = 0\nallowed_origins = ["{PANEL}"]')
    with receiving(tmp_path_factory.mktemp("keys"), config) as found:
        assert found.client.post("/ingest", json=ITEM, headers=KEYED).status_code == 200
        yield found


def sent(client: httpx.Client, route: Route, headers: Headers, prefix: str = "") -> httpx.Response:
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    body = b"{}" if route.method in ("POST", "PATCH") else None
    return client.request(route.method, prefix + route.path, headers=encoded, content=body)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("path", pushes())
def test_no_other_credential_opens_a_way_in(collector: CollectorProcess, addresses: Iterator[str], path: str) -> None:
    raw, content_type = pushes()[path]
    before = stored(collector)
    with from_address(collector, next(addresses)) as client:
        answers = [
            client.post(path, content=raw, headers=[*_encoded(headers), (b"content-type", content_type.encode())])
            for headers in WRONG
        ]
    assert [code(answer) for answer in answers] == [(401, "bad_key")] * len(WRONG)
    assert len({answer.content for answer in answers}) == 1
    assert stored(collector) == before


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


@pytest.mark.parametrize("headers", WRONG_FOR_ADMIN)
def test_no_other_credential_opens_an_admin_route(
    collector: CollectorProcess, addresses: Iterator[str], headers: Headers
) -> None:
    with from_address(collector, next(addresses)) as client:
        answers = [sent(client, route, headers, prefix) for prefix in ("", "/api") for route in ADMIN_ROUTES]
    assert [code(answer) for answer in answers] == [(401, "unauthorized")] * len(answers)
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert stored(collector) >= 1


def test_a_key_is_no_signature_and_a_signature_no_key(collector: CollectorProcess, addresses: Iterator[str]) -> None:
    raw = webhook("unsigned")
    with from_address(collector, next(addresses)) as client:
        for headers in (ADMIN, KEYED, {"X-API-Key": SECRET}, {"Helicone-Signature": INGEST_KEY}):
            assert code(client.post("/webhook", content=raw, headers=headers)) == (401, "bad_signature")
        signed_with_a_key = hmac_of(INGEST_KEY.encode(), raw, "sha256").hexdigest()
        answer = client.post("/webhook", content=raw, headers={"Helicone-Signature": signed_with_a_key})
    assert code(answer) == (401, "bad_signature")


def test_the_verdict_takes_both_keys_but_one_at_a_time(collector: CollectorProcess, addresses: Iterator[str]) -> None:
    with from_address(collector, next(addresses)) as client:
        for headers in (ADMIN, KEYED, {"Authorization": f"Bearer {INGEST_KEY}"}):
            assert client.get("/verdict", headers=headers).status_code == 200
        assert code(client.get("/verdict", headers={"X-API-Key": SECRET})) == (401, "unauthorized")


@pytest.mark.parametrize("path", pushes())
@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_no_foreign_web_page_pushes_even_with_a_good_key(
    collector: CollectorProcess, addresses: Iterator[str], path: str, content_type: str
) -> None:
    raw, own_type = pushes()[path]
    before = stored(collector)
    with from_address(collector, next(addresses)) as client:
        for origin in ("https://evil.example", "null", collector.url):
            headers = {**KEYED, "Origin": origin, "Content-Type": content_type or own_type}
            answer = client.post(path, content=raw, headers=headers)
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = client.options(path, headers=asked)
            assert [code(answer), code(preflight)] == [(403, "foreign_origin")] * 2
            assert not any(name.startswith("access-control") for name in (*answer.headers, *preflight.headers))
    assert stored(collector) == before


@pytest.mark.replaces("push/origins")
def test_an_allowed_web_page_may_push(collector: CollectorProcess) -> None:
    asked = {
        "Origin": PANEL,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "X-Ingest-Key, Content-Type, Idempotency-Key",
    }
    preflight = collector.client.options("/ingest", headers=asked)
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert preflight.status_code == 200
    assert all(name in allowed for name in ("x-ingest-key", "content-type", "idempotency-key"))
    assert "POST" in preflight.headers["access-control-allow-methods"]
    answers = [
        collector.client.post("/ingest", json=ITEM, headers={**KEYED, "Origin": PANEL}),
        collector.client.post("/ingest", json={}, headers={**KEYED, "Origin": PANEL}),
        collector.client.post("/ingest", json=ITEM, headers={"Origin": PANEL}),
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 401]
    assert {answer.headers["access-control-allow-origin"] for answer in (preflight, *answers)} == {PANEL}


def test_a_public_name_reaches_every_keyed_route(collector: CollectorProcess) -> None:
    public = {"Host": "spend.example:443", "X-Forwarded-For": "203.0.113.9"}
    for path, (raw, content_type) in pushes().items():
        headers = {**KEYED, **public, "Content-Type": content_type}
        assert collector.client.post(path, content=raw, headers=headers).status_code == 200
    assert collector.client.get("/limits", headers={**ADMIN, **public}).status_code == 200


EMPTY_KEYS = """\
[server]
host = "0.0.0.0"
port = 0
api_key = ""
ingest_keys = { default = "" }
[helicone]
webhook_secrets = [""]
"""
"""Reachable from elsewhere, with keys that are none."""


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector that has no key at all, and listens on all addresses."""
    with collecting(tmp_path_factory.mktemp("keyless"), EMPTY_KEYS) as found:
        yield found


def test_an_address_for_others_without_a_key_starts_with_a_warning(keyless: CollectorProcess) -> None:
    assert "api_key" in keyless.out + keyless.err


def test_empty_secrets_open_nothing(keyless: CollectorProcess) -> None:
    raw = webhook("signed-with-nothing")
    signature = hmac_of(b"", raw, "sha256").hexdigest()
    answer = keyless.client.post("/webhook", content=raw, headers={"Helicone-Signature": signature})
    assert code(answer) == (403, "not_configured")
    for path, (raw, content_type) in pushes().items():
        for key in ({}, {"X-Ingest-Key": ""}, {"Authorization": "Bearer"}):
            answer = keyless.client.post(path, content=raw, headers={**key, "Content-Type": content_type})
            assert code(answer) == (403, "not_configured")
    assert stored(keyless) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "spend.ngrok.app"},
        {"Host": "192.0.2.7:8000", "X-Forwarded-For": "127.0.0.1"},
        {"Host": "127.0.0.1.evil.example", "X-Real-IP": "127.0.0.1"},
        {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "for=127.0.0.1;host=localhost"},
    ],
)
def test_without_a_key_no_public_name_opens_an_admin_route(
    keyless: CollectorProcess, addresses: Iterator[str], headers: dict[str, str]
) -> None:
    with from_address(keyless, next(addresses)) as client:
        answers = [
            sent(client, route, list(headers.items()), prefix) for prefix in ("", "/api") for route in ADMIN_ROUTES
        ]
        assert [code(answer) for answer in answers] == [(403, "local_only")] * len(answers)
        assert client.get("/ping", headers=headers).text == "pong"


def test_without_a_key_programs_of_this_machine_read_and_web_pages_do_not(keyless: CollectorProcess) -> None:
    for path in ("/limits", "/api/requests", "/metrics", "/openapi.json"):
        assert keyless.client.get(path, headers={"Host": "localhost"}).status_code == 200
        for origin in ("https://evil.example", "null", "http://localhost"):
            answer = keyless.client.get(path, headers={"Host": "localhost", "Origin": origin})
            assert code(answer) == (403, "foreign_origin")


def test_a_signed_webhook_comes_from_anywhere_while_admin_is_closed(tmp_path: Path) -> None:
    open_to_others = f'[server]\nhost = "0.0.0.0"\nport = 0\n[helicone]\nwebhook_secrets = ["{SECRET}"]\n'
    with collecting(tmp_path, open_to_others) as found:
        raw = webhook("from-afar")
        headers = {"Host": "spend.example", "Helicone-Signature": sign(raw)}
        assert found.client.post("/webhook", content=raw, headers=headers).status_code == 200
        assert code(found.client.get("/requests", headers={"Host": "spend.example"})) == (403, "local_only")
