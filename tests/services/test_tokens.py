from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from spendtop.domain.errors import UsageError
from spendtop.services import tokens
from spendtop.services.tokens import Token
from spendtop.store.engine import Store

AT = 1_795_000_000_000_000


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with store.writing() as opened:
        yield opened


def test_a_fresh_token_is_active_counted_and_hard_to_guess(connection: Connection) -> None:
    first, second = tokens.create(connection, "app", AT), tokens.create(connection, "web", AT + 1)
    assert (first.name, first.active, first.shadow, first.created_at) == ("app", True, False, AT)
    assert re.fullmatch(r"[A-Za-z0-9]{22}", first.token)
    assert first.token != second.token
    assert tokens.tokens(connection) == [first, second]


def test_a_token_may_keep_the_value_that_clients_send_or_have_another_length(connection: Connection) -> None:
    assert tokens.create(connection, "kept", AT, value="my-app_1.0").token == "my-app_1.0"
    assert len(tokens.create(connection, "short", AT, length=8).token) == 8


def test_a_book_finds_tokens_by_what_clients_send(connection: Connection) -> None:
    shadow = tokens.create(connection, "shadow", AT, value="s", shadow=True)
    plain = tokens.create(connection, "plain", AT, value="p")
    assert tokens.book(connection) == {"s": shadow, "p": plain}
    assert tokens.book(connection)["s"].shadow


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31m"])
def test_a_name_that_cannot_be_shown_is_refused(connection: Connection, name: str) -> None:
    with pytest.raises(UsageError, match="needs a name of printable characters"):
        tokens.create(connection, name, AT)
    assert tokens.tokens(connection) == []


@pytest.mark.parametrize("value", ["", "a b", "é", "x" * 129, "a/b", "a\n"])
def test_a_value_that_clients_could_not_send_is_refused_and_not_repeated(connection: Connection, value: str) -> None:
    with pytest.raises(UsageError) as refusal:
        tokens.create(connection, "app", AT, value=value)
    said = "A token is 1 to 128 letters, digits or any of . _ - ; leave it out to get a fresh one."
    assert str(refusal.value) == said


@pytest.mark.parametrize(("name", "value", "taken"), [("app", "other", "name"), ("other", "t-1", "value")])
def test_a_name_or_value_that_is_taken_is_refused(connection: Connection, name: str, value: str, taken: str) -> None:
    tokens.create(connection, "app", AT, value="t-1")
    with pytest.raises(UsageError, match=f"with this {taken} already"):
        tokens.create(connection, name, AT, value=value)


def test_names_are_stripped_before_they_are_compared(connection: Connection) -> None:
    assert tokens.create(connection, " app ", AT).name == "app"
    with pytest.raises(UsageError, match="this name"):
        tokens.create(connection, "app", AT)


class TestFind:
    """Tokens by what people type."""

    @pytest.fixture
    def token(self, connection: Connection) -> Token:
        return tokens.create(connection, "the app", AT, value="t-1")

    def test_takes_a_value_a_name_or_a_number(self, connection: Connection, token: Token) -> None:
        assert {tokens.find(connection, reference) for reference in ("t-1", "the app", str(token.id))} == {token}

    @pytest.mark.parametrize("reference", ["", "t-2", "0", "999", "-1", "²", "9" * 30, "1.0"])
    def test_says_none_for_what_is_no_token(self, connection: Connection, token: Token, reference: str) -> None:
        assert tokens.find(connection, reference) is None

    def test_prefers_what_clients_send_to_names_and_numbers(self, connection: Connection, token: Token) -> None:
        named = tokens.create(connection, "t-1", AT, value="other")
        assert tokens.find(connection, "t-1") == token
        numbered = tokens.create(connection, str(named.id), AT)
        assert tokens.find(connection, str(named.id)) == numbered


def test_a_token_is_switched_off_and_on_and_deleted(connection: Connection) -> None:
    first, second = tokens.create(connection, "app", AT), tokens.create(connection, "web", AT)
    tokens.set_active(connection, first.id, False)
    assert [token.active for token in tokens.tokens(connection)] == [False, True]
    tokens.set_active(connection, first.id, True)
    assert tokens.find(connection, "app") == first
    tokens.remove(connection, first.id)
    assert tokens.tokens(connection) == [second]
