from __future__ import annotations

import pytest

from spendtop.api.listener.local_use import is_loopback
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, listening
from tests.conftest import SettableClock

HOST = "127.0.0.1:8000"
OF_PROXIES = [
    "Forwarded",
    "Via",
    "Max-Forwards",
    "Proxy-Connection",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-By",
    "X-Forwarded-Server",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "Forwarded-For",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "X-Original-URL",
    "X-Original-URI",
    "X-Rewrite-URL",
    "X-Host",
    "CF-Connecting-IP",
    "CF-Ray",
    "CF-Visitor",
    "CDN-Loop",
    "True-Client-IP",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "X-Azure-ClientIP",
    "X-ARR-LOG-ID",
    "X-Amzn-Trace-Id",
    "X-Amz-Cf-Id",
    "X-Cloud-Trace-Context",
    "X-AppEngine-User-IP",
    "X-Envoy-External-Address",
    "X-Envoy-Expected-Rq-Timeout-Ms",
    "X-Request-Id",
    "X-Scheme",
    "X-ProxyUser-Ip",
    "Tailscale-User-Login",
    "Tailscale-Headers-Info",
    "Ngrok-Skip-Browser-Warning",
    "Ngrok-Auth-User-Id",
    "X-BlueCoat-Via",
    "WL-Proxy-Client-IP",
    "Proxy-Client-IP",
    "HTTP-Client-IP",
    "X-Remote-Addr",
    "X-Remote-IP",
    "Client-IP",
    "X-Sent-By",
    "X-Of-A-Make-That-Nobody-Knows",
]
OF_CLIENTS = {
    "curl": {"User-Agent": "curl/8.5", "Accept": "*/*"},
    "a browser": {
        "User-Agent": "Mozilla/5.0",
        "Accept": "text/html",
        "Accept-Language": "de",
        "Accept-Encoding": "gzip, br",
        "Connection": "keep-alive",
        "Cookie": "a=b",
        "DNT": "1",
        "Upgrade-Insecure-Requests": "1",
        "Sec-Fetch-Dest": "document",
        "Sec-CH-UA": '"Chromium"',
        "Sec-GPC": "1",
        "Priority": "u=0, i",
        "Cache-Control": "max-age=0",
        "If-None-Match": '"x"',
    },
    "Prometheus": {"User-Agent": "Prometheus/3", "X-Prometheus-Scrape-Timeout-Seconds": "10"},
    "an event source": {"Accept": "text/event-stream", "Last-Event-ID": "", "Pragma": "no-cache"},
}


@pytest.mark.parametrize("client", OF_CLIENTS)
async def test_programs_on_this_machine_are_local(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, client: str
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        assert (await live.client.get("/limits", headers={"Host": HOST, **OF_CLIENTS[client]})).status_code == 200


async def test_who_came_through_a_proxy_of_any_make_is_not_local(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        for name in OF_PROXIES:
            answer = await live.client.get("/limits", headers={"Host": HOST, name: "127.0.0.1"})
            assert (answer.status_code, name) == (403, name)
        assert (await live.client.get("/limits")).status_code == 200


@pytest.mark.parametrize(("version", "status"), [("1.0", b"403"), ("1.1", b"200")])
async def test_the_version_that_proxies_ask_in_is_not_local(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, version: str, status: bytes
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        asked = f"GET /limits HTTP/{version}\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        assert (await live.exchange(asked.encode())).split()[1] == status
        ping = f"GET /ping HTTP/{version}\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        assert (await live.exchange(ping.encode())).split()[1] == b"200"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["", "10.0.0.1", "::", "0.0.0.0", "::ffff:10.0.0.1", "localhost"])
def test_other_addresses(address: str) -> None:
    assert not is_loopback(address)
