"""A sign-in with the api key: what its cookie holds, where it comes from, and what it opens.

Nothing is kept of it here. The cookie is an instant, signed with a key that is derived from the api key: it ends then,
or as soon as the api key is another one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from urllib.parse import urlsplit

from spendtop.api.answers import Header
from spendtop.api.listener.http_request import HttpRequest
from spendtop.domain.clock import SECOND

COOKIE = b"spendtop_session"
SHORT, LONG = 12 * 3600, 30 * 24 * 3600
"""Seconds for which one lasts, and for which it does where the browser is to remember it."""
OPENED = frozenset(
    {
        "/dashboard/chart",
        "/dashboard/state",
        "/events",
        "/export.csv",
        "/ingest/tokens",
        "/ingest/tokens/{id}",
        "/ingest/tokens/{id}/active",
        "/ingest/tokens/{id}/snippets",
        "/limits",
        "/requests",
        "/requests/{id}",
        "/spending/summary",
    }
)
"""Routes that it opens, as they are described, without /api before them: what the dashboard asks and nothing else."""
_PURPOSE = b"spendtop: sign-in at the dashboard"
_MOST_COOKIES = 4
"""Of our name; more come only from somebody who tries."""
_API = "/api"


def cookie(api_key: bytes, now: int, seconds: int, *, secure: bool) -> Header:
    """The header that signs a browser in for so many seconds from `now` (UTC µs)."""
    expires = b"%d" % (now // SECOND + seconds)
    return _cookie(b"%b.%b" % (expires, _signature(api_key, expires)), seconds, secure)


def no_cookie(*, secure: bool) -> Header:
    """The header that makes a browser forget it."""
    return _cookie(b"", 0, secure)


def valid_cookie(http: HttpRequest, api_key: bytes, now: int) -> bytes | None:
    """The cookie of this api key that the request brings, if it has not ended yet (`now` in UTC µs)."""
    return next((value for value in _values(http) if _is_valid(value, api_key, now)), None)


def is_own_origin(http: HttpRequest, public_url: str) -> bool:
    """Whether the page that calls is of the address that it calls, or of our public one behind a proxy."""
    origins, hosts = http.header(b"origin"), http.header(b"host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    origin, host = origins[0].lower(), hosts[0].lower()
    return origin in (b"http://" + host, b"https://" + host) or origin == _origin(public_url)


def is_secure(http: HttpRequest, public_url: str) -> bool:
    """Whether the browser speaks https, with us or with a proxy. Its own word on that is the Origin."""
    origins = http.header(b"origin")
    if origins:
        return origins[0].lower().startswith(b"https:")
    forwarded = http.header(b"x-forwarded-proto")
    if forwarded:
        return forwarded[0].partition(b",")[0].strip().lower() == b"https"
    return public_url.startswith("https:")


def is_posted_by_page(path: str) -> bool:
    """Whether the dashboard changes something at this path, for which browsers name its origin."""
    path = without_prefix(path)
    return path in ("/dashboard/login", "/dashboard/logout") or f"{path}/".startswith("/ingest/tokens/")


def without_prefix(path: str) -> str:
    """The path or route without /api before it."""
    return path.removeprefix(_API) if path.startswith(f"{_API}/") else path


def _cookie(value: bytes, seconds: int, secure: bool) -> Header:
    attributes = b"Path=/; Max-Age=%d; HttpOnly; SameSite=Strict" % seconds
    return b"set-cookie", b"%b=%b; %b%b" % (COOKIE, value, attributes, b"; Secure" if secure else b"")


def _values(http: HttpRequest) -> Iterator[bytes]:
    """What cookies of our name hold."""
    pairs = (pair.partition(b"=") for line in http.header(b"cookie") for pair in line.split(b";"))
    values = [value.strip() for name, _, value in pairs if name.strip() == COOKIE]
    yield from values[:_MOST_COOKIES]


def _is_valid(value: bytes, api_key: bytes, now: int) -> bool:
    expires, _, signature = value.partition(b".")
    if not hmac.compare_digest(signature, _signature(api_key, expires)):
        return False
    return now < int(expires) * SECOND


def _signature(api_key: bytes, expires: bytes) -> bytes:
    key = hmac.digest(api_key, _PURPOSE, "sha256")
    return hmac.digest(key, expires, "sha256").hex().encode()


def _origin(url: str) -> bytes | None:
    """The origin of an address as browsers write it; None of an empty one."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return None
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}".lower().encode()
