"""What a sign-in's cookie is worth, and where it is believed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.api import sign_in
from spendtop.api.listener.http_request import HttpRequest
from spendtop.domain.clock import SECOND

KEY = b"an-api-key-that-is-long"
NOW = 1_800_000_000 * SECOND


def asked(headers: Mapping[str, str] | None = None, path: str = "/limits") -> HttpRequest:
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]

    async def receive() -> dict[str, object]:
        raise AssertionError("a sign-in is in the headers")

    scope = {"type": "http", "method": "GET", "path": path, "client": ("127.0.0.1", 1), "headers": encoded}
    return HttpRequest(scope, receive)


def value_of(header: tuple[bytes, bytes]) -> str:
    return header[1].partition(b";")[0].partition(b"=")[2].decode()


def is_good(value: str, key: bytes = KEY, now: int = NOW) -> bool:
    return sign_in.valid_cookie(asked({"Cookie": f"spendtop_session={value}"}), key, now) is not None


def test_it_ends_at_its_instant_and_with_its_key() -> None:
    value = value_of(sign_in.cookie(KEY, NOW, sign_in.SHORT, secure=False))
    assert is_good(value)
    assert is_good(value, now=NOW + sign_in.SHORT * SECOND - 1)
    assert not is_good(value, now=NOW + sign_in.SHORT * SECOND)
    assert not is_good(value, key=KEY + b"x")


@given(st.integers(0, 120), st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=';"'))
def test_no_other_value_is_good(place: int, character: str) -> None:
    value = value_of(sign_in.cookie(KEY, NOW, sign_in.SHORT, secure=False))
    place %= len(value)
    changed = value[:place] + character + value[place + 1 :]
    assert is_good(changed) == (changed == value)


@pytest.mark.parametrize("value", ["", ".", "9999999999", "9999999999.", "x.y", "-1.0", "é.é", "9" * 5000, "\0"])
def test_what_is_no_cookie_of_ours_is_not_good(value: str) -> None:
    assert not is_good(value)


def test_it_is_found_among_other_cookies() -> None:
    value = value_of(sign_in.cookie(KEY, NOW, sign_in.LONG, secure=True))
    beside = asked({"Cookie": f"a=b; spendtop_session=forged; spendtop_session={value};c"})
    crowded = asked({"Cookie": "; ".join(["spendtop_session=forged"] * 9 + [f"spendtop_session={value}"])})
    assert sign_in.valid_cookie(beside, KEY, NOW) is not None
    assert sign_in.valid_cookie(crowded, KEY, NOW) is None


def test_browsers_keep_it_from_scripts_and_other_sites() -> None:
    name, header = sign_in.cookie(KEY, NOW, sign_in.SHORT, secure=True)
    assert name == b"set-cookie"
    assert header.split(b"; ")[1:] == [b"Path=/", b"Max-Age=43200", b"HttpOnly", b"SameSite=Strict", b"Secure"]
    assert sign_in.cookie(KEY, NOW, sign_in.LONG, secure=False)[1].endswith(
        b"Max-Age=2592000; HttpOnly; SameSite=Strict"
    )


@pytest.mark.parametrize(
    ("headers", "public_url", "secure"),
    [
        ({}, "", False),
        ({"Origin": "https://spend.example"}, "", True),
        ({"Origin": "http://10.0.0.2:8000"}, "https://spend.example", False),
        ({"X-Forwarded-Proto": "https"}, "", True),
        ({"X-Forwarded-Proto": "https, http"}, "", True),
        ({"X-Forwarded-Proto": "http"}, "https://spend.example", False),
        ({"Origin": "http://10.0.0.2:8000", "X-Forwarded-Proto": "https"}, "", False),
        ({}, "https://spend.example", True),
    ],
)
def test_it_is_secure_where_the_browser_speaks_https(headers: dict[str, str], public_url: str, secure: bool) -> None:
    """Elsewhere browsers would throw it away, and nobody could sign in."""
    assert sign_in.is_secure(asked(headers), public_url) == secure


@pytest.mark.parametrize(
    ("origin", "host", "public_url", "own"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "", True),
        ("https://Spend.example", "spend.example", "", True),
        ("https://spend.example", "127.0.0.1:8000", "https://spend.example/sub", True),
        ("https://spend.example", "127.0.0.1:8000", "https://spend.example:443", True),
        ("http://127.0.0.1:3000", "127.0.0.1:8000", "", False),
        ("http://localhost:8000", "127.0.0.1:8000", "", False),
        ("https://evil.example", "spend.example", "https://spend.example", False),
        ("http://spend.example", "127.0.0.1:8000", "https://spend.example", False),
        ("null", "127.0.0.1:8000", "", False),
        ("", "127.0.0.1:8000", "", False),
    ],
)
def test_the_origin_of_the_page_itself(origin: str, host: str, public_url: str, own: bool) -> None:
    assert sign_in.is_own_origin(asked({"Origin": origin, "Host": host}), public_url) == own


@pytest.mark.parametrize(
    ("path", "posted"),
    [
        ("/dashboard/login", True),
        ("/api/dashboard/logout", True),
        ("/ingest/tokens", True),
        ("/api/ingest/tokens/1/active", True),
        ("/ingest", False),
        ("/ingest/tokensx", False),
        ("/dashboard", False),
        ("/reset", False),
        ("/api/reset", False),
        ("/apix/ingest/tokens", False),
    ],
)
def test_where_the_page_changes_something(path: str, posted: bool) -> None:
    assert sign_in.is_posted_by_page(path) == posted
