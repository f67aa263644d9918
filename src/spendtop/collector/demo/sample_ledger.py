"""The demo's prepaid account: a month of bills that fit the sample traffic but for a little, and who entered what."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, Clock
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.services import checkpoints
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.balances import Account, balance_now
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_REQUEST = table_of(RequestTable)
ACCOUNT, POLLER = "openai", "openai-costs"
_BILLED = Account(
    name=ACCOUNT, provider="openai", poller=POLLER, poll_every=15 * MINUTE, low_balance=None, tells_balance=False
)
_OPENING, _DEPOSIT, _DEPOSITED = Usd.of(80), Usd.of(50), 12
_DRIFTS = {19: Usd.of("-0.17"), 3: Usd.of("0.04")}
"""Days before today on which the account was calibrated, and what each calibration found."""
_RESTATED = 9
_SHARES = (("input", Decimal("0.55")), ("cached input", Decimal("0.10")), ("output", Decimal("0.35")))
_STRANGER = CostPart(day=-2, amount=Decimal("0.80"), project="proj_lab", api_key="key_Qm4x", line_item="gpt-4.1, input")
"""Traffic of a key that never passes through us; its day counts from today."""

_ORGANIZATION = "/v1/organization"
_TOLD: Mapping[str, object] = {
    f"{_ORGANIZATION}/spend_limit": {
        "threshold_amount": 12_000,
        "interval": "month",
        "enforcement": {"status": "enforcing"},
    },
    f"{_ORGANIZATION}/projects": {"data": [{"id": "proj_web", "name": "Web"}, {"id": "proj_lab", "name": "Lab"}]},
    f"{_ORGANIZATION}/projects/proj_web/spend_alerts": {"data": [{"threshold_amount": 11_000, "interval": "month"}]},
    f"{_ORGANIZATION}/projects/proj_web/api_keys": {"data": [{"id": "key_B7ut", "name": "web-prod"}]},
    f"{_ORGANIZATION}/projects/proj_lab/api_keys": {"data": [{"id": "key_Qm4x", "name": "lab-notebook"}]},
}
"""Limits and names, by the path that they are asked for at; amounts are cents."""

Bills = Mapping[int, Sequence[CostPart]]
"""What is billed by UTC day."""


def bills(connection: Connection, now: int) -> Bills:
    """What OpenAI bills until `now` (UTC µs) for what the store holds."""
    parts: defaultdict[int, list[CostPart]] = defaultdict(list)
    day = (_REQUEST.c.occurred_at // DAY).label("day")
    charged = (_REQUEST.c.provider == "openai", _REQUEST.c.cost_nano > 0, _REQUEST.c.counted)
    sums = select(day, _REQUEST.c.model, func.sum(_REQUEST.c.cost_nano)).where(*charged).group_by("day", "model")
    for number, model, nano in connection.execute(sums.order_by("day", "model")):
        parts[number] += [
            CostPart(
                day=number,
                amount=Usd(nano).dollars * share,
                project="proj_web",
                api_key="key_B7ut",
                line_item=f"{model}, {direction}",
            )
            for direction, share in _SHARES
        ]
    strange = replace(_STRANGER, day=now // DAY + _STRANGER.day)
    parts[strange.day].append(strange)
    return parts


def keep_account(connection: Connection, billed: Bills, now: int) -> None:
    """A month of polls, entries and calibrations, each as if it were made in its time."""
    first, today = min(billed), now // DAY
    ledger.record(connection, ACCOUNT, EntryKind.OPENING, _OPENING, first * DAY, now, note="credit at the start")
    for day in range(first, today + 1):
        at = min((day + 1) * DAY - HOUR, now)
        parts = billed.get(day, ())
        _take(connection, day, parts[1:] if day == today - _RESTATED else parts, at)
        _take(connection, day - 1, billed.get(day - 1, ()), at)
        if day == today - _DEPOSITED:
            ledger.record(connection, ACCOUNT, EntryKind.DEPOSIT, _DEPOSIT, at, at, note="invoice 2211", by="maren")
        drift = _DRIFTS.get(today - day)
        if drift is not None:
            left = balance_now(connection, _BILLED, at).amount
            assert left is not None
            ledger.calibrate(connection, _BILLED, left + drift, at, at, by="maren")
    checkpoints.succeeded(connection, POLLER, now)


@contextmanager
def billing_api(port: int, store: Store, clock: Clock) -> Iterator[None]:
    """Answers as OpenAI's admin API does, for whoever polls here, until the block ends."""

    def costs(asked: Mapping[str, Sequence[str]]) -> object:
        first, end = (int(asked[name][0]) * SECOND // DAY for name in ("start_time", "end_time"))
        with store.reading() as connection:
            billed = bills(connection, clock())
        return {"has_more": False, "data": [_bucket(day, billed) for day in range(first, end)]}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            is_costs = url.path == f"{_ORGANIZATION}/costs"
            told = costs(parse_qs(url.query)) if is_costs else _TOLD.get(url.path)
            body = json.dumps(told).encode()
            self.send_response(404 if told is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="billing", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _take(connection: Connection, day: int, parts: Sequence[CostPart], at: int) -> None:
    if parts:
        ledger.take_costs(connection, ACCOUNT, Costs(first_day=day, last_day=day, parts=tuple(parts)), at)


def _bucket(day: int, billed: Bills) -> dict[str, object]:
    results = [
        {
            "amount": {"value": str(part.amount), "currency": "usd"},
            "project_id": part.project,
            "api_key_id": part.api_key,
            "line_item": part.line_item,
        }
        for part in billed.get(day, ())
    ]
    return {"start_time": day * DAY // SECOND, "results": results}
