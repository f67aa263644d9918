"""Whether a program on this machine asks, or somebody through a proxy or tunnel that runs here."""

from __future__ import annotations

import ipaddress

from spendtop.api.listener.http_request import HttpRequest

_OF_BROWSERS = b"sec-"
_OF_CLIENTS = frozenset(
    b"""
    accept accept-charset accept-encoding accept-language access-control-request-headers access-control-request-method
    authorization cache-control connection content-encoding content-length content-type cookie dnt expect host
    http2-settings idempotency-key if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive
    last-event-id origin pragma priority range referer save-data te transfer-encoding upgrade upgrade-insecure-requests
    user-agent x-api-key x-ingest-key x-prometheus-scrape-timeout-seconds x-tracking-token
    """.split()
)
"""What browsers, curl, scrapers and HTTP libraries send on their own behalf, and our own headers. Proxies say whom they
speak for under so many names that only what is known to be none of them passes."""
_OF_OLD_PROXIES = "1.0"
"""The version in which proxies ask unless told otherwise, and no client of today does."""


def is_local(http: HttpRequest) -> bool:
    """Whether a loopback peer asks for a loopback Host, in its own name: so no proxy, no tunnel and no rebound name."""
    if http.scope["http_version"] == _OF_OLD_PROXIES:
        return False
    if not all(name in _OF_CLIENTS or name.startswith(_OF_BROWSERS) for name in http.headers):
        return False
    hosts = http.header(b"host")
    return is_loopback(http.peer) and len(hosts) == 1 and _is_loopback_host(hosts[0])


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def _is_loopback_host(value: bytes) -> bool:
    host = value.decode("latin-1").lower()
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        return bool(closed) and _is_port(rest) and is_loopback(name)
    name, colon, port = host.partition(":")
    return _is_port(colon + port) and (name == "localhost" or is_loopback(name))


def _is_port(text: str) -> bool:
    return text == "" or (text.startswith(":") and text[1:].isascii() and text[1:].isdigit())
