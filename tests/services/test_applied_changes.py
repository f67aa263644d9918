from __future__ import annotations

from msgspec.structs import replace

from spendtop.domain.windows import Calendar
from spendtop.services.applied_changes import applied_changes
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, Doors, PolledSource
from tests.accounts import ROUTER
from tests.services.conftest import limit

COLLECTOR = CollectorInfo(version="1", host="here", pid=1, url="http://127.0.0.1:8000", started_at=1)
FULL = Applied(
    limits=(limit("daily"), limit("each user", each=None)),
    calendar=Calendar("UTC"),
    channels=("ops",),
    collector=COLLECTOR,
    at=1,
    config_digest="a",
    doors=Doors(webhook_secret=True, ingest_keys=("default",)),
    accounts=(ROUTER,),
    pollers=(PolledSource(name="helicone-api", every=1),),
    keeps_bodies=True,
)
NOTHING = Applied(limits=(), calendar=Calendar("UTC"), channels=(), collector=COLLECTOR, at=2, config_digest="b")
PARTS = [
    'limit "daily"',
    'limit "each user"',
    'channel "ops"',
    'account "router"',
    'poller "helicone-api"',
    'ingest key "default"',
    "signing secret",
    "kept prompts",
]


def test_whatever_is_lost_or_won_is_named() -> None:
    assert applied_changes(FULL, NOTHING) == [f"{part} removed" for part in PARTS]
    assert applied_changes(NOTHING, FULL) == [f"{part} added" for part in PARTS]


def test_the_same_in_another_collector_is_no_change() -> None:
    assert applied_changes(FULL, replace(FULL, at=9, config_digest="c", collector=replace(COLLECTOR, pid=9))) == []


def test_what_is_otherwise_is_named() -> None:
    changed = replace(FULL, limits=(limit("daily", usd=1), FULL.limits[1]), calendar=Calendar("Europe/Berlin"))
    assert applied_changes(FULL, changed) == ['limit "daily" changed', "[time] changed"]


def test_names_are_harmless() -> None:
    (text,) = applied_changes(NOTHING, replace(NOTHING, channels=("a\x1b[31mb",)))
    assert "\x1b" not in text
