from __future__ import annotations

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.services import tokens
from spendtop.store.engine import Store
from spendtop.store.reads.tokens.tokens import Token, TokenUse, token_uses, use_of
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


def made(store: Store, name: str, *, shadow: bool = False) -> Token:
    with store.writing() as connection:
        return tokens.create(connection, name, START, value=f"value-{name}", shadow=shadow)


def uses(store: Store) -> dict[str, tuple[int, int | None]]:
    with store.reading() as connection:
        return {use.token.name: (use.requests, use.last_used_at) for use in token_uses(connection)}


def test_counts_requests_and_finds_the_exact_instant_of_the_latest(recorded: Recorded) -> None:
    for name in ("web", "batch", "unused"):
        made(recorded.store, name)
    times = {"value-web": (START, START + 3 * HOUR, START + 3 * HOUR + 7), "value-batch": (START + DAY + MINUTE,)}
    recorded.add(
        [recorded.request(at, token=value) for value, found in times.items() for at in found]
        + [recorded.request(START + 2 * DAY), recorded.request(START + 2 * DAY, token="Value-Web")]
    )
    assert uses(recorded.store) == {
        "web": (3, START + 3 * HOUR + 7),
        "batch": (1, START + DAY + MINUTE),
        "unused": (0, None),
    }


def test_counts_what_a_shadow_token_pushed(recorded: Recorded) -> None:
    made(recorded.store, "twin", shadow=True)
    recorded.add([recorded.request(START + number, token="value-twin", counted=False) for number in range(3)])
    assert uses(recorded.store) == {"twin": (3, START + 2)}


def test_an_hour_that_corrections_emptied_is_not_the_latest(recorded: Recorded) -> None:
    made(recorded.store, "web")
    early = recorded.request(START, token="value-web")
    moved = recorded.request(START + 5 * HOUR, token="value-web", external_id="moved")
    recorded.add([early, moved])
    table = table_of(RequestTable)
    before = uses(recorded.store)
    with recorded.store.writing() as connection:
        total = "UPDATE total SET requests = 0 WHERE dimension = 'token' AND bucket > " + str(START + HOUR)
        connection.exec_driver_sql(total)
        connection.execute(table.delete().where(table.c.occurred_at == START + 5 * HOUR))
    assert (before, uses(recorded.store)) == ({"web": (2, START + 5 * HOUR)}, {"web": (1, START)})


def test_names_the_hour_of_requests_that_are_gone(recorded: Recorded) -> None:
    token = made(recorded.store, "web")
    recorded.add([recorded.request(START + 17 * MINUTE, token="value-web")])
    with recorded.store.writing() as connection:
        connection.execute(table_of(RequestTable).delete())
    with recorded.store.reading() as connection:
        assert use_of(connection, token) == TokenUse(token, 1, START - START % HOUR)
