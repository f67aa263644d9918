"""Who may in: origins of web pages, the admin credential, local use, and how often failures are answered."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable

from spendtop.api.access_rules import Rules
from spendtop.api.answers import Answer, Header, Scope, busy, error
from spendtop.api.buckets import Buckets
from spendtop.api.counters import Count, Counters

MOST_FAILURES_PER_MINUTE = 100
_FAILURES_THAT_COUNT = frozenset({400, 401, 403, 413, 415})
_FORWARDING = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
"""Headers that proxies add and local programs do not send."""
_CORS_METHODS = b"GET, POST, PATCH, DELETE"
_CORS_HEADERS = (
    b"X-API-Key, X-Ingest-Key, X-Tracking-Token, Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
)


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """All values of a header; `name` is lower-case."""
    return [value for key, value in scope["headers"] if key == name]


class Guards:
    """The rules of SPEC 5 for one listener."""

    def __init__(self, rules: Callable[[], Rules], counters: Counters, monotonic: Callable[[], float]) -> None:
        self._rules = rules
        self._counters = counters
        self._admin = Buckets(monotonic)
        self._ingest = Buckets(monotonic)
        self._failures = Buckets(monotonic)

    def entry(self, scope: Scope) -> Answer | None:
        """Refuses what no route takes: a missing or doubled Host, a foreign web page."""
        hosts = 0
        for name, value in scope["headers"]:
            if name == b"host":
                hosts += 1
            elif name == b"origin" and value.lower() not in self._rules().allowed_origins:
                self._counters.add(Count.FOREIGN_ORIGIN)
                return error(403, "foreign_origin", "Web pages of this origin may not call this service.")
        if hosts > 1 or (hosts == 0 and scope["http_version"] != "1.0"):
            return error(400, "bad_host", "There has to be exactly one Host header.")
        return None

    def coding(self, scope: Scope) -> Answer | None:
        """Refuses a body that would have to be unpacked."""
        if any(value.lower() != b"identity" for value in header_values(scope, b"content-encoding")):
            return error(415, "unsupported_encoding", "Send the body without Content-Encoding.")
        return None

    def preflight(self, scope: Scope) -> Answer | None:
        """The answer to a browser's question whether a page of an allowed origin may call."""
        if scope["method"] != "OPTIONS" or not header_values(scope, b"access-control-request-method"):
            return None
        if not header_values(scope, b"origin"):
            return None
        headers: tuple[Header, ...] = (
            (b"access-control-allow-methods", _CORS_METHODS),
            (b"access-control-allow-headers", _CORS_HEADERS),
            (b"access-control-max-age", b"600"),
        )
        return Answer(200, b"", headers)

    def cors(self, scope: Scope) -> tuple[Header, ...]:
        """The headers that let an allowed page read the answer; `entry` has let nobody else pass."""
        origins = header_values(scope, b"origin")
        return ((b"access-control-allow-origin", origins[0]), (b"vary", b"Origin")) if origins else ()

    def admin(self, scope: Scope) -> Answer | None:
        """Refuses everybody but the holder of the api key; without one, everybody but local programs."""
        rules = self._rules()
        if rules.api_key:
            if not self.holds_api_key(scope):
                self._counters.add(Count.ADMIN_BAD_AUTH)
                return error(
                    401, "unauthorized", "The api key is missing or wrong.", headers=((b"www-authenticate", b"Bearer"),)
                )
            who = "api key"
        else:
            if not is_local(scope):
                self._counters.add(Count.ADMIN_BAD_AUTH)
                message = "Without an api key only programs on this machine may read. Set api_key under [server]."
                return error(403, "local_only", message)
            who = "local"
        return self.rate(scope["path"], who)

    def ingest(self, scope: Scope) -> Answer | None:
        """Refuses everybody but the holder of an ingest key, and one who pushes too often."""
        rules = self._rules()
        if not rules.ingest_keys:
            message = "No ingest key is set. Name one under ingest_keys in [server], and send it as X-Ingest-Key."
            return error(403, "not_configured", message)
        name = self.ingest_key(scope)
        if name is None:
            return error(401, "bad_key", "The ingest key is missing or wrong. Send it as X-Ingest-Key.")
        if scope["path"] in rules.ingest_never_limited:
            return None
        asks = scope["path"].endswith("/verdict")  # asking takes nothing from what may be pushed
        wait = self._ingest.take((name, asks), rules.ingest_per_minute, rules.ingest_burst)
        return self._too_often(wait) if wait else None

    def ingest_key(self, scope: Scope) -> str | None:
        """The name of the ingest key that was sent as the only credential. All are compared, whichever fits."""
        given = [*header_values(scope, b"x-ingest-key"), *_bearers(scope)]
        if len(given) != 1:
            return None
        fitting = [name for name, key in self._rules().ingest_keys.items() if hmac.compare_digest(given[0], key)]
        return fitting[0] if fitting else None

    def rate(self, path: str, who: str) -> Answer | None:
        """Refuses those who come more often than `rate_limit` allows, except on exempt paths."""
        rules = self._rules()
        if path in rules.never_limited:
            return None
        wait = self._admin.take(who, rules.per_minute, rules.burst)
        return self._too_often(wait) if wait else None

    def rate_of_peer(self, scope: Scope) -> Answer | None:
        """The same for routes that ask for no key."""
        peer = scope["client"][0] if scope["client"] else ""
        return self.rate(scope["path"], f"peer {peer}")

    def holds_api_key(self, scope: Scope) -> bool:
        """Whether exactly one credential was sent, and it is the api key."""
        given = [*header_values(scope, b"x-api-key"), *_bearers(scope)]
        expected = self._rules().api_key
        return len(given) == 1 and bool(expected) and hmac.compare_digest(given[0], expected)

    def failure(self, scope: Scope, answer: Answer) -> Answer:
        """The answer to give for a refusal: itself, or 429 to somebody who keeps failing."""
        if answer.status not in _FAILURES_THAT_COUNT:
            return answer
        wait = self.failed(scope)
        return self._too_often(wait) if wait else answer

    def failed(self, scope: Scope) -> int:
        """Counts a failure of this peer. 0, or the seconds after which one more would be answered as itself."""
        peer = scope["client"][0] if scope["client"] else ""
        return self._failures.take(peer, MOST_FAILURES_PER_MINUTE, MOST_FAILURES_PER_MINUTE)

    def _too_often(self, wait: int) -> Answer:
        self._counters.add(Count.RATE_LIMITED)
        return busy("too_many_requests", "Too many requests. Come again later.", status=429, seconds=wait)


def _bearers(scope: Scope) -> list[bytes]:
    values = [value.partition(b" ") for value in header_values(scope, b"authorization")]
    return [credential.strip() for scheme, _, credential in values if scheme.lower() == b"bearer"]


def is_local(scope: Scope) -> bool:
    """Whether a loopback peer asks for a loopback Host: so neither a tunnel nor a rebound name.

    Many proxies put this machine's own name there unless told otherwise; what they passed on is not local either.
    """
    if any(name in _FORWARDING for name, _ in scope["headers"]):
        return False
    peer = scope["client"]
    hosts = header_values(scope, b"host")
    return bool(peer) and is_loopback(peer[0]) and len(hosts) == 1 and _is_loopback_host(hosts[0])


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
