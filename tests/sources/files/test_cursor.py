from __future__ import annotations

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Billing, Request, Status, Usage
from spendtop.domain.sources.records import CURSOR
from spendtop.sources.files import Format
from spendtop.sources.files.reading import READERS, format_of
from spendtop.sources.skipped import Skipped
from tests.sources.files.test_other_tools import NOW

HEADER = (
    b"Date,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,"
    b"Cost\n"
)
ROWS = (
    b'"2026-11-27T08:00:00.123Z","Included","claude-4.5-sonnet","No","400","100","1800","250","2550","Included"\n',
    b'"2026-11-27T08:01:00.000Z","On-Demand","gpt-5.1","No","0","1000","0","100","1100","$0.12"\n',
    b'"2026-11-27T08:02:00.000Z","Errored, No Charge","gpt-5.1","No","","","","","","-"\n',
    b'"never","Included","gpt-5.1","No","1","1","1","1","4","Included"\n',
)


def test_what_a_plan_includes_is_no_spend_and_what_is_billed_on_demand_is() -> None:
    assert format_of(HEADER) is Format.CURSOR
    included, billed, failed, wrong = READERS[Format.CURSOR]([HEADER, *ROWS], NOW)
    assert isinstance(included, Request) and isinstance(billed, Request) and isinstance(failed, Request)
    assert included.usage == Usage(prompt=2300, completion=250, cache_read=1800, cache_write=400)
    assert (included.source, included.is_plan, included.cost.reported) == (CURSOR, True, None)
    assert (billed.counted, billed.billing, billed.cost.reported) == (True, Billing.API, Usd.of("0.12"))
    assert (failed.status, failed.usage.total) == (Status.ERROR, None)
    assert isinstance(wrong, Skipped) and wrong.field == "Date"


def test_read_again_it_is_the_same_requests() -> None:
    ids = [each.external_id for each in READERS[Format.CURSOR]([HEADER, *ROWS[:3]], NOW) if isinstance(each, Request)]
    again = [
        each.external_id for each in READERS[Format.CURSOR]([HEADER, *ROWS[:3]], NOW + 1) if isinstance(each, Request)
    ]
    assert ids == again and len(set(ids)) == 3
