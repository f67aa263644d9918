"""Every screen at every width shows amounts from a billionth of a dollar to ten million, whole or in a shorter form."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection
from textual.pilot import Pilot

from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Reporter, Request, ServiceLevel, Usage
from spendtop.domain.sources.records import INGEST
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services import checkpoints
from spendtop.services.ledger import entries as ledger
from spendtop.services.recording import missed_requests
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.tui.app import SpendtopApp
from tests import accounts
from tests.conftest import SettableClock
from tests.store.conftest import Recorded
from tests.tui.conftest import Sessions, opened, picture, until

AMOUNTS = (
    *("0.000000001", "0.00003", "0.0075", "0.999", "5.01", "1000", "12345.67"),
    *("99999.99", "1234567.89", "9999999.99", "10000000"),
)
LIMITS = (
    Limit(name="daily", window=parse_window("day"), amount=Usd.of(10_000_000)),
    Limit(name="each user", window=parse_window("day"), amount=Usd.of(1000), each=Each.USER),
    Limit(name="tiny each", window=parse_window("day"), amount=Usd.of("0.00001"), each=Each.MODEL),
    Limit(name="single", window=parse_window("request"), amount=Usd.of("99999.99")),
)


@pytest.fixture
def spent(store: Store, clock: SettableClock) -> Store:
    """Each amount as a request, a shadow request, a session, a user, a model, a bill and an entry."""
    now, recorded = clock(), Recorded(store)
    info = CollectorInfo(version="0", host="here", pid=1, url="http://127.0.0.1:8000", started_at=now)
    low = replace(accounts.OPENAI, low_balance=Usd.of(99_999_999))
    in_force = Applied(
        limits=LIMITS,
        calendar=Calendar(),
        channels=(),
        collector=info,
        at=now,
        config_digest="",
        accounts=(low, accounts.ROUTER),
    )
    for number, amount in enumerate(AMOUNTS):
        cost = Usd.of(amount)
        who = {"user_id": f"user-{number}", "model": f"model-{number}", "session_id": f"job-{number}"}
        facts = {**who, "session_path": "/a/b", "usage": Usage(prompt=1000, completion=10), "provider": "openai"}
        at = now - number * MINUTE
        shadow = {"source": INGEST, "token": "shade", "counted": False}
        recorded.add(
            [
                recorded.request(at, cost.nano, **facts),
                recorded.request(at - 1, None, **facts),
                *_marked(recorded.request(at - 3, cost.nano, **facts)),
                recorded.request(at - 2, cost.nano, **facts, **shadow),
            ],
            LIMITS,
        )

    def prepare(connection: Connection) -> None:
        keep(connection, in_force)
        today = now // DAY
        for number, amount in enumerate(AMOUNTS):
            day = today - number
            part = CostPart(day=day, amount=Decimal(amount), line_item="gpt-4.1, input")
            ledger.take_costs(connection, "openai", Costs(first_day=day, last_day=day, parts=(part,)), now)
            kind = EntryKind.DEPOSIT if number % 2 else EntryKind.REFUND
            ledger.record(connection, "openai", kind, Usd.of(amount), now - number, now, note="note")
        ledger.calibrate(connection, accounts.OPENAI, Usd.of("12345678.91"), now, now, "ana")
        ledger.take_balance(connection, "router", Usd.of("9999999.99"), now)
        checkpoints.succeeded(connection, "openai-costs", now)
        missed_requests.note_gap(connection, "helicone", [recorded.request(now, 10**16)], now, now)

    with store.writing() as connection:
        prepare(connection)
    return store


def _marked(request: Request) -> Iterator[Request]:
    """As a cost that is partial, and as one that is doubtful."""
    level, units = ServiceLevel.BATCH, {"web_searches": 2, "input_audio_seconds": 90.5}
    partial = replace(request.cost, basis=Basis.COMPUTED, unpriced_units=units, level_assumed=True)
    yield replace(request, external_id=f"{request.external_id}-p", cost=partial, service_level=level)
    doubtful = replace(request.cost, computed=Usd(1), reported_by=Reporter.GATEWAY, doubtful=True)
    yield replace(request, external_id=f"{request.external_id}-d", cost=doubtful)


async def pictures(pilot: Pilot[int], app: SpendtopApp) -> AsyncIterator[tuple[str, str]]:
    """Each screen and dialog that shows money, by name."""
    await opened(pilot)
    await pilot.pause()
    yield "overview", picture(pilot)
    for name, keys, awaited in (
        ("requests", ("2",), "row 1 of 55"),
        ("detail", ("enter",), "session"),
        ("meta", ("right_square_bracket",) * 3, "corrections|price|cost"),
        ("sessions", ("q", "3"), "job-0"),
        ("a session", ("enter",), "all paths"),
        ("ledger", ("7",), "DAY"),
        ("a day", ("j", "enter"), "DIFFERENCE|billed"),
        ("calibrate", ("escape", "c"), "predicts|page"),
        ("entry", ("escape", "plus"), "Record an entry"),
        ("sources", ("escape", "8"), "Events|ingest"),
    ):
        await pilot.press(*keys)
        await until(pilot, lambda awaited=awaited: re.search(awaited, picture(pilot)))  # type: ignore[misc]
        await pilot.pause()
        yield name, picture(pilot)


@pytest.mark.parametrize("width", [60, 80, 100, 140])
async def test_no_amount_is_cut(session_over: Sessions, spent: Store, width: int) -> None:
    app = SpendtopApp(session_over())
    cut = []
    async with app.run_test(size=(width, 40), notifications=True) as pilot:
        async for name, shown in pictures(pilot, app):
            assert "$" in shown, name
            for line in shown.splitlines():
                cut += [f"{name}: {line}" for match in re.finditer(r"\$\S*", line) if not _is_whole(match, line)]
    assert not cut, "\n".join(cut)


def _is_whole(match: re.Match[str], line: str) -> bool:
    """Whether an amount stands there with all of a form that there is."""
    amount = re.match(r"\$(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?[kMB]?", line[match.start() :])
    if amount is None:
        return match.group() in ("$", "$/MIN", "$/MIN▼")
    behind = line[match.start() + amount.end() :][:2]
    return not re.match(r"[\d…~]|[,.]\d|[,.]…", behind)
