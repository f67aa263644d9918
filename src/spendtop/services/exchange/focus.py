"""Requests as charges of FOCUS: a CSV file for tools that split bills.

A charge is what one UTC day of one model costs for one user, session, token and set of properties, on one basis. Only
what is counted as spend is in it: usage under a plan is not, as nobody bills it. Money columns of FOCUS know no null: a
charge whose cost is unknown has 0 there, `unknown` in `x_CostBasis`, and says in `x_UnpricedRequests` of how many
requests that is. FOCUS 1.2 wants a quantity of every charge: all its tokens, or its requests; 1.4 only beside a price.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from spendtop.domain.clock import DAY
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.requests.request import Basis
from spendtop.domain.spreadsheet import cell
from spendtop.domain.untrusted import Untrusted
from spendtop.services.exchange.export import Pages
from spendtop.services.exchange.focus_bills import columns_of_bill
from spendtop.services.exchange.focus_columns import COLUMNS, NOTHING, UNKNOWN, columns_of_day, decimal_dollars
from spendtop.services.exchange.focus_entries import NO_LEDGERS, LedgerCharges, columns_of_entry
from spendtop.store.reads.rows import RequestRow

_OF_ONE_REQUEST = frozenset({"anthropic.request.id", "portkey.trace_id"})
"""Properties that no two requests share: with them each would be a charge."""


class _Key(NamedTuple):
    """What the requests of a charge have in common. Text is raw."""

    provider: str
    model: str
    user: str
    session: str
    token: str
    token_name: str
    properties: tuple[tuple[str, str], ...]
    basis: Basis


@dataclass(slots=True)
class _Sums:
    cost: Usd = ZERO
    listed: Usd = ZERO
    """What it would have cost by its quantities, where that was computed."""
    requests: int = 0
    unpriced: int = 0
    prompt: int | None = None
    completion: int | None = None
    cache_read: int | None = None


@dataclass(slots=True)
class WrittenCharges:
    """What came of an export so far."""

    requests: int = 0
    rows: int = 0
    cost: Usd = ZERO
    unpriced: int = 0
    """Requests whose cost is not known, or only in part."""


def focus_chunks(
    pages: Pages, version: str, written: WrittenCharges, ledgers: LedgerCharges = NO_LEDGERS
) -> Iterator[bytes]:
    """The file, a day at a time, and then what was bought and credited, and billed: UTF-8, RFC 4180. `pages` come in
    the order of time; `written` is counted on. What was bought is billed then, and not when it is used."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS[version], extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    requests = (row for rows in pages for row in rows if row.counted and not row.is_plan)

    def rows() -> Iterator[Iterator[dict[str, object]]]:
        for day, of_day in groupby(requests, key=lambda row: row.occurred_at // DAY):
            charges = _charges(of_day)
            for sums in charges.values():
                written.requests += sums.requests
                written.cost += sums.cost
                written.unpriced += sums.unpriced
            yield (_row(day, key, sums, version, ledgers) for key, sums in sorted(charges.items()))
        yield map(columns_of_entry, ledgers.charges)
        yield (columns_of_bill(charge, version) for charge in ledgers.bills)

    for part in rows():
        for columns in part:
            writer.writerow({name: cell(value) for name, value in columns.items()})
            written.rows += 1
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _charges(rows: Iterable[RequestRow]) -> dict[_Key, _Sums]:
    charges: dict[_Key, _Sums] = {}
    for row in rows:
        sums = charges.setdefault(_key(row), _Sums())
        amount = row.cost.amount or ZERO
        sums.cost += amount
        sums.listed += amount if row.cached or row.cost.computed is None else row.cost.computed
        sums.requests += 1
        sums.unpriced += row.cost.amount is None or row.cost.partial
        sums.prompt = _plus(sums.prompt, row.usage.prompt)
        sums.completion = _plus(sums.completion, row.usage.completion)
        sums.cache_read = _plus(sums.cache_read, row.usage.cache_read)
    return charges


def _plus(sum: int | None, count: int | None) -> int | None:
    """None where nobody said a number."""
    return sum if count is None else count + (sum or 0)


def _key(row: RequestRow) -> _Key:
    return _Key(
        provider=_raw(row.provider),
        model=_raw(row.model),
        user=_raw(row.user_id),
        session=_raw(row.session_id),
        token=_raw(row.token),
        token_name=_raw(row.token_label),
        properties=tuple(sorted((name, text) for name, text in row.properties.items() if name not in _OF_ONE_REQUEST)),
        basis=row.cost.basis,
    )


def _raw(text: Untrusted | None) -> str:
    return "" if text is None else text.raw


def _row(day: int, key: _Key, sums: _Sums, version: str, ledgers: LedgerCharges) -> dict[str, object]:
    """All that is known of a charge, by column of any version."""
    used = "tokens" if sums.prompt or sums.completion else "requests"
    quantity = (sums.prompt or 0) + (sums.completion or 0) if used == "tokens" else sums.requests
    is_billed = key.basis is Basis.REPORTED and not ledgers.bills_apart(key.provider, day)
    measured = {"Quantity": f"{quantity}.0", "Unit": used.capitalize()} if version == "1.2" else {}
    whole = decimal_dollars(sums.cost)
    tags = {
        **dict(key.properties),
        **{name: text for name, text in (("user", key.user), ("session", key.session)) if text},
    }
    return {
        **columns_of_day(day, key.provider, ledgers.payers.get(key.provider, "")),
        "BilledCost": whole if is_billed else NOTHING,
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{key.model or key.provider or UNKNOWN} {used}",
        "ChargeFrequency": "Usage-Based",
        **{f"{kind}{name}": value for kind in ("Consumed", "Pricing") for name, value in measured.items()},
        "ContractedCost": whole,
        "EffectiveCost": whole,
        "ListCost": decimal_dollars(sums.listed),
        "SubAccountId": key.token,
        "SubAccountName": key.token_name,
        "SubAccountType": "Token" if key.token else "",
        "Tags": json.dumps(tags, sort_keys=True) if tags else "",
        "x_CacheReadTokens": sums.cache_read,
        "x_CostBasis": key.basis.value,
        "x_InputTokens": sums.prompt,
        "x_Model": key.model,
        "x_OutputTokens": sums.completion,
        "x_Requests": sums.requests,
        "x_Session": key.session,
        "x_UnpricedRequests": sums.unpriced,
        "x_User": key.user,
    }
