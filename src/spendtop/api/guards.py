"""Who may in: origins of web pages, the admin credential, local use, and how often failures are answered."""

from __future__ import annotations

import hmac
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from spendtop.api import sign_in
from spendtop.api.answers import Header, HttpAnswer, busy, error
from spendtop.api.counters import Count, Counters
from spendtop.api.listener.http_request import HttpRequest
from spendtop.api.listener.local_use import is_local
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock
from spendtop.domain.sources.refusals import RefusalReason
from spendtop.sources.receivers import SignedReceiver, Signing

MOST_FAILURES_PER_MINUTE = 100
MOST_FAILED_SIGN_INS_PER_MINUTE = 10
_FAILURES_THAT_COUNT = frozenset({400, 401, 403, 413, 415})
_LOCAL_ONLY = error(
    403,
    "local_only",
    "Without an api key only programs on this machine may read, and through no proxy. Set api_key under [server].",
)
_PUBLISHED = error(
    403,
    "local_only",
    "Without an api key nobody may read, as public_url is set and a proxy's visitors can look like programs on this"
    " machine. Set api_key under [server].",
)
_NO_API_KEY = error(
    401,
    "unauthorized",
    "The api key is missing or wrong. Send api_key under [server] as X-API-Key.",
    headers=((b"www-authenticate", b"Bearer"),),
)
_NOT_BY_SIGN_IN = error(403, "not_by_sign_in", "A sign-in at the dashboard does not open this. Send the api key.")
_FOREIGN = error(
    403,
    "foreign_origin",
    "Web pages of this origin may not call this service. Name it in allowed_origins under [server].",
)
_SIGN_INS = MOST_FAILED_SIGN_INS_PER_MINUTE, MOST_FAILED_SIGN_INS_PER_MINUTE
_CORS_METHODS = b"GET, POST, PATCH, DELETE"
_CORS_HEADERS = (
    b"X-API-Key, X-Ingest-Key, X-Tracking-Token, Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
)


@dataclass(frozen=True, slots=True, repr=False)
class Rules:
    """Who may in, and how often. Secrets are bytes; an empty `api_key` means local use only."""

    api_key: bytes
    public_url: str
    """Where we have a public address, a proxy or tunnel runs here, which can look like any local program."""
    ingest_keys: Mapping[str, bytes]
    """By name."""
    allowed_origins: frozenset[bytes]
    signing: Mapping[str, Signing]
    """By source."""
    per_minute: int
    burst: int
    never_limited: frozenset[str]
    ingest_per_minute: int
    ingest_burst: int
    ingest_never_limited: frozenset[str]

    @classmethod
    def of(cls, settings: Settings, signed: Mapping[str, type[SignedReceiver]]) -> Rules:
        server = settings.server
        return cls(
            api_key=_bytes(server.api_key),
            public_url=server.public_url,
            ingest_keys={name: _bytes(key) for name, key in server.ingest_keys.items()},
            allowed_origins=frozenset(origin.encode() for origin in server.allowed_origins),
            signing={name: receiver.signing(settings) for name, receiver in signed.items()},
            per_minute=server.rate_limit.rpm,
            burst=server.rate_limit.burst,
            never_limited=frozenset(server.rate_limit.exempt),
            ingest_per_minute=server.ingest_rate_limit.rpm,
            ingest_burst=server.ingest_rate_limit.burst,
            ingest_never_limited=frozenset(server.ingest_rate_limit.exempt),
        )


def current_rules(settings: Callable[[], Settings], signed: Mapping[str, type[SignedReceiver]]) -> Callable[[], Rules]:
    """Gives the rules in force; they are built again only when the settings have been replaced."""
    built: tuple[Settings, Rules] | None = None

    def rules() -> Rules:
        nonlocal built
        in_force = settings()
        if built is None or built[0] is not in_force:
            built = (in_force, Rules.of(in_force, signed))
        return built[1]

    return rules


def _bytes(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()


class Buckets:
    """One bucket per key, for the keys seen last; a key that is forgotten starts full again."""

    def __init__(self, monotonic: Callable[[], float], most_keys: int = 4096) -> None:
        self._monotonic = monotonic
        self._most_keys = most_keys
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, per_minute: int, burst: int) -> int:
        """Take one from the key's bucket. 0 when there was one, else the whole seconds to wait for the next."""
        left = self._left(key, per_minute, burst)
        wait = _wait(left, per_minute)
        self._buckets.pop(key, None)
        self._buckets[key] = (left if wait else left - 1, self._monotonic())
        if len(self._buckets) > self._most_keys:
            self._buckets.popitem(last=False)
        return wait

    def wait(self, key: Hashable, per_minute: int, burst: int) -> int:
        """What `take` would give, without taking anything."""
        return _wait(self._left(key, per_minute, burst), per_minute)

    def _left(self, key: Hashable, per_minute: int, burst: int) -> float:
        now = self._monotonic()
        left, since = self._buckets.get(key, (float(burst), now))
        return min(float(burst), left + (now - since) * per_minute / 60)

    def __len__(self) -> int:
        return len(self._buckets)


def _wait(left: float, per_minute: int) -> int:
    return 0 if left >= 1 else max(1, math.ceil((1 - left) * 60 / per_minute))


class Guards:
    """The rules for one listener, and how often each who comes has come."""

    def __init__(
        self, rules: Callable[[], Rules], counters: Counters, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        self._rules = rules
        self._counters = counters
        self._clock = clock
        self._admin = Buckets(monotonic)
        self._ingest = Buckets(monotonic)
        self._failures = Buckets(monotonic)
        self._failed_sign_ins = Buckets(monotonic)

    def entry(self, http: HttpRequest, takes_coding: bool) -> HttpAnswer | None:
        """Refuses what the route cannot take: a missing or doubled Host, a foreign web page, a body to be unpacked."""
        origins = http.headers.get(b"origin")
        if origins and not self._may_call(http, origins):
            self._counters.add(Count.FOREIGN_ORIGIN)
            return _FOREIGN
        hosts = len(http.header(b"host"))
        if hosts > 1 or (hosts == 0 and http.scope["http_version"] != "1.0"):
            return error(400, "bad_host", "There has to be exactly one Host header. Send one.")
        codings = http.headers.get(b"content-encoding")
        if codings and not takes_coding and any(value.lower() != b"identity" for value in codings):
            return error(415, "unsupported_encoding", "Send the body without Content-Encoding.")
        return None

    def preflight(self, http: HttpRequest) -> HttpAnswer | None:
        """The answer to a browser's question whether a page of an allowed origin may call."""
        if not http.header(b"access-control-request-method") or not http.header(b"origin"):
            return None
        headers: tuple[Header, ...] = (
            (b"access-control-allow-methods", _CORS_METHODS),
            (b"access-control-allow-headers", _CORS_HEADERS),
            (b"access-control-max-age", b"600"),
        )
        return HttpAnswer(200, b"", headers)

    def admin(self, http: HttpRequest) -> HttpAnswer | None:
        """Refuses everybody but the holder of the api key; without one, everybody but local programs."""
        refusal = self._stranger(http)
        if refusal is not None:
            self._counters.add(Count.ADMIN_BAD_AUTH)
            return refusal
        return self.rate(http.path, "api key" if self._rules().api_key else "local")

    def page(self, http: HttpRequest) -> HttpAnswer | None:
        """The same for what the dashboard asks, which a sign-in opens as well; it changes things by its page only."""
        cookie = self._sign_in(http)
        if cookie is None:
            return self.admin(http)
        if http.method != "GET" and not sign_in.is_own_origin(http, self._rules().public_url):
            self._counters.add(Count.FOREIGN_ORIGIN)
            return _FOREIGN
        return self.rate(http.path, cookie)

    def why_no_page(self, http: HttpRequest) -> HttpAnswer | None:
        """Why somebody may not see what the dashboard shows; None for whom it is."""
        return None if self.is_signed_in(http) else self._stranger(http)

    def is_signed_in(self, http: HttpRequest) -> bool:
        """Whether a sign-in speaks for the request."""
        return self._sign_in(http) is not None

    def sign_in(self, http: HttpRequest, api_key: bytes, seconds: int) -> HttpAnswer | Header:
        """The cookie for who brings the api key, or the refusal: at once for a peer that keeps failing."""
        expected = self._rules().api_key
        wait = self._failed_sign_ins.wait(http.peer, *_SIGN_INS)
        if wait:
            return self._too_often(wait)
        if not expected or not hmac.compare_digest(api_key, expected):
            self._failed_sign_ins.take(http.peer, *_SIGN_INS)
            self._counters.add(Count.ADMIN_BAD_AUTH)
            return _NO_API_KEY
        secure = sign_in.is_secure(http, self._rules().public_url)
        return sign_in.cookie(expected, self._clock(), seconds, secure=secure)

    def sign_out(self, http: HttpRequest) -> Header:
        """What makes the browser forget its sign-in."""
        return sign_in.no_cookie(secure=sign_in.is_secure(http, self._rules().public_url))

    def _sign_in(self, http: HttpRequest) -> bytes | None:
        """The cookie that speaks for the request. A key that is sent as well decides alone."""
        api_key = self._rules().api_key
        return sign_in.valid_cookie(http, api_key, self._clock()) if api_key and not _credentials(http) else None

    def _stranger(self, http: HttpRequest) -> HttpAnswer | None:
        rules = self._rules()
        if not rules.api_key:
            if rules.public_url:
                return _PUBLISHED
            return None if is_local(http) else _LOCAL_ONLY
        if self.holds_api_key(http):
            return None
        return _NOT_BY_SIGN_IN if self.is_signed_in(http) else _NO_API_KEY

    def _may_call(self, http: HttpRequest, origins: Sequence[bytes]) -> bool:
        """Whether pages of these origins may: those that are allowed, and the dashboard where it changes something."""
        rules = self._rules()
        if all(value.lower() in rules.allowed_origins for value in origins):
            return True
        return sign_in.is_posted_by_page(http.path) and sign_in.is_own_origin(http, rules.public_url)

    def ingest(self, http: HttpRequest) -> HttpAnswer | None:
        """Refuses everybody but the holder of an ingest key, and one who pushes too often."""
        rules = self._rules()
        if not rules.ingest_keys:
            message = "No ingest key is set. Name one under ingest_keys in [server], and send it as X-Ingest-Key."
            return error(403, "not_configured", message)
        name = self.ingest_key(http)
        if name is None:
            return error(401, "bad_key", "The ingest key is missing or wrong. Send it as X-Ingest-Key.")
        if http.path in rules.ingest_never_limited:
            return None
        asks = http.path.endswith("/verdict")  # asking takes nothing from what may be pushed
        wait = self._ingest.take((name, asks), rules.ingest_per_minute, rules.ingest_burst)
        return self._too_often(wait) if wait else None

    def why_not(self, http: HttpRequest) -> RefusalReason:
        """Why one who may not push may not."""
        if not self._rules().ingest_keys:
            return RefusalReason.NO_KEY_HERE
        sent = [*http.header(b"x-ingest-key"), *_bearers(http)]
        return RefusalReason.BAD_KEY if any(sent) else RefusalReason.NO_KEY

    def ingest_key(self, http: HttpRequest) -> str | None:
        """The name of the ingest key that was sent as the only credential. All are compared, whichever fits."""
        credentials = [*http.header(b"x-ingest-key"), *_bearers(http)]
        if len(credentials) != 1:
            return None
        fitting = [name for name, key in self._rules().ingest_keys.items() if hmac.compare_digest(credentials[0], key)]
        return fitting[0] if fitting else None

    def rate(self, path: str, who: Hashable) -> HttpAnswer | None:
        """Refuses those who come more often than `rate_limit` allows, except on exempt paths."""
        rules = self._rules()
        if path in rules.never_limited:
            return None
        wait = self._admin.take(who, rules.per_minute, rules.burst)
        return self._too_often(wait) if wait else None

    def rate_of_peer(self, http: HttpRequest) -> HttpAnswer | None:
        """The same for routes that ask for no key."""
        return self.rate(http.path, f"peer {http.peer}")

    def holds_api_key(self, http: HttpRequest) -> bool:
        """Whether exactly one credential was sent, and it is the api key."""
        credentials = _credentials(http)
        expected = self._rules().api_key
        return len(credentials) == 1 and bool(expected) and hmac.compare_digest(credentials[0], expected)

    def failure(self, http: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
        """The answer to give for a refusal: itself, or 429 to somebody who keeps failing."""
        if answer.status not in _FAILURES_THAT_COUNT:
            return answer
        wait = self._failed(http)
        return self._too_often(wait) if wait else answer

    def _failed(self, http: HttpRequest) -> int:
        """Counts a failure of this peer. 0, or the seconds after which one more would be answered as itself."""
        return self._failures.take(http.peer, MOST_FAILURES_PER_MINUTE, MOST_FAILURES_PER_MINUTE)

    def _too_often(self, wait: int) -> HttpAnswer:
        self._counters.add(Count.RATE_LIMITED)
        return busy("too_many_requests", "Too many requests. Come again later.", status=429, seconds=wait)


def _credentials(http: HttpRequest) -> list[bytes]:
    return [*http.header(b"x-api-key"), *_bearers(http)]


def _bearers(http: HttpRequest) -> list[bytes]:
    values = [value.partition(b" ") for value in http.header(b"authorization")]
    return [credential.strip() for scheme, _, credential in values if scheme.lower() == b"bearer"]
