"""One store with all that made faces differ: unpriced and shadow requests, tiny and huge amounts, odd percents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from spendtop.domain.alerting.episode import Message
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import is_failed
from spendtop.domain.requests.request import Basis, Cost, Request, Status, Usage
from spendtop.domain.sources.records import INGEST
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services import tokens
from spendtop.services.alerting.announcements import Channel
from spendtop.services.alerting.evaluator import Evaluator
from spendtop.services.ledger import entries as ledger
from spendtop.services.limits.limit_book import LimitBook
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, Doors, keep
from spendtop.store.statements import table_of
from spendtop.store.tables import DayCostTable
from tests.accounts import OPENAI
from tests.cli.conftest import Cli
from tests.conftest import SettableClock
from tests.faces.said import Figure
from tests.store.conftest import Recorded

MODELS, USERS, SESSIONS = ("gpt-4.1", "own-7b", "tiny", "huge"), ("alice", "bob", "carol"), ("job-1", "job-2")
SHADOW, COUNTED = "shade", "app"
LIMITS = (
    Limit(
        name="gpt",
        window=parse_window("day"),
        amount=Usd.of(10),
        where=parse_filter("model:gpt-4.1"),
        where_text="model:gpt-4.1",
    ),
    Limit(name="each user", window=parse_window("day"), amount=Usd.of("0.05"), each=Each.USER, warn=()),
    Limit(name="single", window=parse_window("request"), amount=Usd.of(9_950_000)),
    Limit(name="hourly", window=parse_window("1h"), amount=Usd.of(10_000_000)),
)
_SHADOW_REQUESTS = 130
"""More than a page of a list."""


@dataclass(frozen=True)
class World:
    """The store, what is true of it, and what a face needs to be asked."""

    store: Store
    clock: SettableClock
    cli: Cli
    truth: Mapping[str, Figure]
    messages: tuple[Message, ...]

    @property
    def midnight(self) -> int:
        return self.clock() // DAY * DAY

    @property
    def book(self) -> LimitBook:
        return LimitBook(LIMITS, Calendar(), {})


def world(store: Store, clock: SettableClock, cli: Cli) -> World:
    """`store` filled: an alert is evaluated in between, so that what it said is no longer what is so."""
    now = clock()
    recorded = Recorded(store)
    with store.writing() as connection:
        for name in (COUNTED, SHADOW):
            tokens.create(connection, name, now, value=name, shadow=name == SHADOW)
        keep(connection, _applied(now))
    early, late = list(_early(recorded, now)), list(_late(recorded, now))
    recorded.add(early, LIMITS)
    with store.writing() as connection:
        evaluator = Evaluator(LimitBook(LIMITS, Calendar(), {}), [Channel("ops")], timer=lambda: 0.0)
        messages = tuple(each.message for each in evaluator.evaluate(connection, now))
    recorded.add(late, LIMITS)
    every = [request for request in (*early, *late) if request.occurred_at >= now // DAY * DAY]
    return World(store, clock, cli, _truth(early, every, now), messages)


def bills_only(store: Store, clock: SettableClock, cli: Cli) -> World:
    """`store` with what a provider billed, what is left there, and without any request."""
    now = clock()
    with store.writing() as connection:
        keep(connection, replace(_applied(now), accounts=(OPENAI,)))
        for back, nano in ((2, 1_000_000_000), (1, 3_200_000_000), (0, 400_000_000)):
            values: dict[str, Any] = {"account": "openai", "day": now // DAY - back, "cost_nano": nano}
            connection.execute(table_of(DayCostTable).insert().values(first_seen=now, last_seen=now, **values))
        ledger.calibrate(connection, OPENAI, Usd.of(60), now, now)
    return World(store, clock, cli, {"billed": Figure(nano=400_000_000)}, ())


def _applied(now: int) -> Applied:
    info = CollectorInfo(version="0", host="here", pid=1, url="http://127.0.0.1:8000", started_at=now)
    return Applied(
        limits=LIMITS,
        calendar=Calendar(),
        channels=("ops",),
        collector=info,
        at=now,
        config_digest="",
        doors=Doors(webhook_secret=True),
    )


def _early(recorded: Recorded, now: int) -> Iterator[Request]:
    usage = Usage(prompt=100, completion=10)
    job: dict[str, Any] = {"model": "gpt-4.1", "user_id": "alice", "session_id": "job-1", "usage": usage}
    for number in range(8):
        yield recorded.request(now - 10 * MINUTE - number, 1_500_000_000, **job)
    yield recorded.request(now - 11 * MINUTE, None, **job)
    yield recorded.request(now - DAY, 7_000_000_000, **job)
    for number in range(3):
        yield recorded.request(
            now - 2 * HOUR - number, None, model="own-7b", user_id="bob", session_id="job-2", usage=usage
        )
    for number in range(2):
        yield replace(
            recorded.request(now - 30 * MINUTE - number, **job),
            cost=Cost(amount=Usd(250_000_000), basis=Basis.COMPUTED, unpriced_units={"web_searches": 2}),
        )
    for number in range(3):
        yield recorded.request(
            now - 40 * MINUTE - number, 0, model="own-7b", user_id="alice", session_id="job-1", status=Status.ERROR
        )
    yield recorded.request(now - 3 * HOUR, 1, model="tiny", user_id="carol", source=INGEST, token=COUNTED)
    yield recorded.request(now - 20 * MINUTE, 9_999_999_990_000_000, model="huge", user_id="carol")
    for number in range(_SHADOW_REQUESTS):
        yield recorded.request(
            now - 5 * MINUTE - number,
            1_000_000_000,
            model="gpt-4.1",
            user_id="alice",
            source=INGEST,
            token=SHADOW,
            counted=False,
        )


def _late(recorded: Recorded, now: int) -> Iterator[Request]:
    yield recorded.request(now - 4 * MINUTE, 2_999_999_999, model="gpt-4.1", user_id="alice", session_id="job-1")


def _truth(early: list[Request], every: list[Request], now: int) -> dict[str, Figure]:
    """Added up from the requests themselves."""

    def of(choose: Callable[[Request], bool], limit: Usd | None = None, state: str = "") -> Figure:
        chosen = [request for request in every if request.counted and choose(request)]
        costs = [request.cost.amount.nano for request in chosen if request.cost.amount is not None]
        nano = None if chosen and not costs and limit is None else sum(costs)
        unpriced = sum(request.cost.amount is None or request.cost.partial for request in chosen)
        failed = sum(is_failed(request) for request in chosen)
        whole = None if limit is None else limit.nano
        return Figure(nano=nano, requests=len(chosen), unpriced=unpriced, failed=failed, limit=whole, state=state)

    gpt, users, single, hourly = LIMITS
    said = sum(
        request.cost.amount.nano
        for request in early
        if request.model == "gpt-4.1"
        and request.counted
        and request.cost.amount
        and request.occurred_at >= now // DAY * DAY
    )
    shade = [request for request in every if not request.counted]
    return {
        "today": of(lambda request: True),
        "last hour": of(lambda request: request.occurred_at >= now - HOUR),
        **{f"model {name}": of(lambda request, name=name: request.model == name) for name in MODELS},  # type: ignore[misc]
        **{f"user {name}": of(lambda request, name=name: request.user_id == name) for name in USERS},  # type: ignore[misc]
        **{f"session {name}": of(lambda request, name=name: request.session_id == name) for name in SESSIONS},  # type: ignore[misc]
        "token app": of(lambda request: request.token == COUNTED),
        "token shade": Figure(nano=0, requests=len(shade)),
        "listed shade": Figure(nano=0),
        "rows": Figure(nano=None, requests=len(every)),
        "rows shade": Figure(nano=None, requests=len(shade)),
        "limit gpt": of(lambda request: request.model == "gpt-4.1", gpt.amount, "exceeded"),
        "limit alice": of(lambda request: request.user_id == "alice", users.amount, "exceeded"),
        "limit bob": of(lambda request: request.user_id == "bob", users.amount, "ok"),
        "limit carol": of(lambda request: request.user_id == "carol", users.amount, "exceeded"),
        "limit single": Figure(
            nano=9_999_999_990_000_000, unpriced=3, limit=single.amount.nano, single=True, state="exceeded"
        ),
        "limit hourly": of(lambda request: request.occurred_at >= now - HOUR, hourly.amount, "exceeded"),
        "alert said": Figure(nano=said, unpriced=3, limit=gpt.amount.nano),
        "alert now": of(lambda request: request.model == "gpt-4.1", gpt.amount),
    }
