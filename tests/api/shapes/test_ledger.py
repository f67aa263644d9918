"""Why a bill differs, over HTTP."""

from __future__ import annotations

from decimal import Decimal

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.money import Usd
from spendtop.services.ledger.entries import take_costs
from spendtop.store.engine import Store
from tests.api.routes.test_admin_routes import get
from tests.api.routes.test_ledger import kept
from tests.conftest import SettableClock


async def test_a_day_of_a_ledger_is_explained_where_that_is_asked_for(
    readable_store: Store, clock: SettableClock
) -> None:
    day = clock() // DAY - 9
    part = CostPart(
        day=day, amount=Decimal("0.80"), project="proj_x", api_key="key_9a\x1b[2J", line_item="o9-next, output"
    )
    async with kept(readable_store, clock) as live:
        with readable_store.writing() as connection:
            take_costs(connection, "openai", Costs(first_day=day, last_day=day, parts=(part,)), clock())
        assert (await get(live, "/ledger/openai"))["explanation"] is None
        assert (await get(live, "/ledger/openai?day=2020-01-01"))["explanation"] is None
        answer = await live.client.get("/ledger/openai?day=yesterday")
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["day"])
        found = (await get(live, "/ledger/openai?day=2026-11-11"))["explanation"]
    assert (found["date"], found["billed_nanousd"]) == ("2026-11-11", Usd.of("0.8").nano)
    assert found["difference_nanousd"] == found["billed_nanousd"] - found["ours_nanousd"]
    assert sum(share["amount_nanousd"] for share in found["shares"]) == found["difference_nanousd"]
    share = next(share for share in found["shares"] if share["kind"] == "not seen")
    assert (share["amount_usd"], share["project"], share["models"]) == (0.8, "proj_x", ["o9-next"])
    assert share["api_key"] == "key_9a\x1b[2J"
    assert "\x1b" not in share["text"] and "never passed through us" in share["text"]
    assert found["projects"] == [
        {"project": "proj_x", "billed_nanousd": Usd.of("0.8").nano, "unseen_nanousd": Usd.of("0.8").nano}
    ]
