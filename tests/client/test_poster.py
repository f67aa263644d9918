"""What an answer means for the events of a post."""

from __future__ import annotations

import pytest

from spendtop.client.poster import NotDelivered, Poster
from tests.client.conftest import Server


@pytest.fixture
def poster(server: Server) -> Poster:
    return Poster(server.url, "key", None)


def events(*names: str) -> list[bytes]:
    return [b'{"id":"%b"}' % name.encode() for name in names]


def test_nothing_is_not_posted(poster: Poster, server: Server) -> None:
    assert (poster.deliver([]), server.posts) == (0, [])


@pytest.mark.parametrize("prefix", ["/", "/costs", "/costs/"])
def test_an_address_may_have_a_path(server: Server, prefix: str) -> None:
    Poster(server.url + prefix, "key", None).deliver(events("a"))
    assert server.posts[0].path == f"{prefix.rstrip('/')}/litellm"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_the_event_that_spoils_a_post_is_found_by_halves(poster: Poster, server: Server, status: int) -> None:
    server.answer = lambda post: (status if b"bad" in post.raw else 200, {})
    names = [*map(str, range(100)), "bad", *map(str, range(100, 156))]
    assert poster.deliver(events(*names)) == 1
    assert server.taken == [name for name in names if name != "bad"]
    assert len(server.posts) < 20


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7", 7), ("86400", 3600), ("-5", 0), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("²", 0), (None, 0)],
)
def test_the_wait_that_is_asked_for(poster: Poster, server: Server, header: str | None, wait: float) -> None:
    headers = {"Retry-After": header.encode().decode("latin-1")} if header else {}
    server.answer = lambda post: (503, headers)
    with pytest.raises(NotDelivered, match="503") as failure:
        poster.deliver(events("a"))
    assert failure.value.wait == wait


def test_a_connection_that_fails_is_no_delivery_and_names_no_key(server: Server) -> None:
    poster = Poster(server.url.replace("http", "https"), "a-secret", None)
    with pytest.raises(NotDelivered, match="SSLError") as failure:
        poster.deliver(events("a"))
    assert "a-secret" not in str(failure.value)
