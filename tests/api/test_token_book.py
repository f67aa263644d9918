"""The listener's copy of the tracking tokens."""

from __future__ import annotations

from spendtop.api.token_book import REFRESH_SECONDS, TokenCopy
from spendtop.services import tokens
from spendtop.store.engine import Store


class Seconds:
    """Monotonic seconds, set by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def create(store: Store, name: str) -> int:
    with store.writing() as connection:
        return tokens.create(connection, name, 1, value=name).id


async def test_a_token_that_is_new_is_found_at_once(readable_store: Store) -> None:
    seconds = Seconds()
    known = TokenCopy(readable_store, seconds)
    assert "web" not in await known.book(["web"])
    create(readable_store, "web")
    assert "web" not in await known.book(["web"])  # rubbish cannot make it read more than ten times a second
    seconds.now += 0.2
    assert (await known.book(["web"]))["web"].active


async def test_a_token_that_is_switched_off_elsewhere_is_known_within_a_second(readable_store: Store) -> None:
    seconds = Seconds()
    known = TokenCopy(readable_store, seconds)
    number = create(readable_store, "web")
    assert (await known.book(["web"]))["web"].active
    with readable_store.writing() as connection:
        tokens.set_active(connection, number, False)
    seconds.now += REFRESH_SECONDS
    assert not (await known.book(["web"]))["web"].active


async def test_what_was_changed_here_is_known_after_a_refresh(readable_store: Store) -> None:
    known = TokenCopy(readable_store, Seconds())
    await known.book([])
    create(readable_store, "web")
    await known.refresh()
    assert "web" in await known.book(["web"])
