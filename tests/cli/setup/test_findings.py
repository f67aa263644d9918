"""What `spendtop check` says of pollers."""

from __future__ import annotations

import os

import pytest
from msgspec.structs import replace

from spendtop.collector.process.store_lock import places
from spendtop.config.paths import data_folder
from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.money import Usd
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.requests.request import Basis, Cost
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.sources.remarks import Remark, RemarkKind
from spendtop.services import checkpoints
from spendtop.services.recording.missed_requests import note_refusals
from spendtop.services.recording.remarks import note
from spendtop.services.stores.presence import CollectorState, RunningCollector, announce, process_start
from spendtop.store.engine import Store
from spendtop.store.reads import price_list
from spendtop.store.reads.price_list import PriceListState
from spendtop.store.statements import table_of
from spendtop.store.tables import GapTable
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.store.conftest import Recorded

OCTOBER = 1_791_331_200_000_000
CONFIG = '[helicone]\napi_key = "sk-helicone-canary"\nwebhook_secrets = ["a-webhook-secret-0123456789"]\n'


@pytest.fixture(autouse=True)
def _configured() -> None:
    write_config(f"[server]\nport = 0\n{CONFIG}")


def line_of(cli: Cli, subject: str) -> str:
    found = [line for line in cli("check").out.splitlines() if line.startswith(subject)]
    assert len(found) == 1, found
    return " ".join(found[0].split())


def test_a_poller_says_how_far_it_got(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", minutes_ago(2), complete_until=minutes_ago(4))
    assert line_of(cli, "poller") == "poller helicone-api ok polled 2 min ago, complete up to 4 min ago"


def test_a_poller_that_never_polled_is_named(cli: Cli, home_store: Store) -> None:
    assert line_of(cli, "poller") == "poller helicone-api note has no answer yet start `spendtop` where none runs"


def test_a_poller_that_fails_says_why(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", minutes_ago(180))
        checkpoints.failed(connection, "helicone-api", "Helicone refused the key (401).", minutes_ago(1))
    assert line_of(cli, "poller") == (
        "poller helicone-api warning gives nothing; the last answer came 3 h ago Helicone refused the key (401)."
    )


def test_a_poller_that_stopped_is_a_warning(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", minutes_ago(21))
    assert "warning has not polled for long" in line_of(cli, "poller")


def test_the_share_of_webhooks_and_the_filled_gaps_are_told(cli: Cli, home_store: Store, spent: Recorded) -> None:
    spent.add([spent.request(minutes_ago(number), 5, source=HELICONE) for number in range(10, 20)])
    assert line_of(cli, "webhooks") == "webhooks note what they brought is not known: no poll has compared it"
    with home_store.writing() as connection:
        checkpoints.failed(connection, "helicone-api", "Helicone refused the key (401).", minutes_ago(300))
    assert line_of(cli, "webhooks") == "webhooks note what they brought is not known: no poll has compared it"
    since, until = minutes_ago(300), minutes_ago(3)
    with home_store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", until, complete_since=since, complete_until=until)
    assert line_of(cli, "webhooks") == "webhooks ok brought every request from 5 h to 3 min ago"
    now = minutes_ago(1)
    gap = {"source": "helicone", "since": now - MINUTE, "until": now, "found_at": now}
    with home_store.writing() as connection:
        connection.execute(table_of(GapTable).insert().values(requests=4, cost_nano=2_500_000_000, **gap))
    assert line_of(cli, "webhooks") == (
        "webhooks note brought 60% of the requests from 5 h to 3 min ago; polls filled 1 gap: 4 requests, $2.50"
    )


BUNDLED = ListVersion(name="genai-prices 0.2.3", newest_price="2026-10-28")


def fetched(days_ago: int) -> ListVersion:
    return ListVersion.of_fetched("ab12cd34", OCTOBER, minutes_ago(days_ago * 24 * 60))


@pytest.mark.parametrize(
    ("version", "every", "problem", "words"),
    [
        (
            BUNDLED,
            None,
            None,
            "note genai-prices 0.2.3, came with the program, age not known, newest dated price of 2026-10-28"
            " update = true under [pricing] fetches newer ones",
        ),
        (fetched(0), DAY, None, "ok genai-prices 2026-10-07 sha256:ab12cd34, fetched within the last 24 h"),
        (
            fetched(2),
            DAY,
            "x cannot be reached.",
            "warning genai-prices 2026-10-07 sha256:ab12cd34, fetched 2 days ago x cannot be reached.",
        ),
        (
            fetched(9),
            DAY,
            None,
            "warning genai-prices 2026-10-07 sha256:ab12cd34, fetched 9 days ago start `spendtop`, which fetches it",
        ),
    ],
)
def test_the_price_list_is_named_with_its_age(
    cli: Cli, home_store: Store, version: ListVersion, every: int | None, problem: str | None, words: str
) -> None:
    assert line_of(cli, "price list") == "price list note none was used on this store yet start `spendtop`"
    with home_store.writing() as connection:
        price_list.keep(connection, PriceListState(version=version, at=0, every=every, problem=problem))
    assert line_of(cli, "price list") == f"price list {words}"


def test_what_sources_sent_and_nobody_read_is_told(cli: Cli, home_store: Store, spent: Recorded) -> None:
    names = [f"unit_{number}" for number in range(12)]
    with home_store.writing() as connection:
        for number, name in enumerate(names):
            unread = Remark(RemarkKind.UNREAD, name, "is not priced", 312)
            note(connection, {"ingest": [unread]}, minutes_ago(60 + number))
        not_taken = Remark(RemarkKind.NOT_TAKEN, "AGENT span 'my-agent'", "is no call of a model", 40)
        note(connection, {"otlp": [not_taken]}, minutes_ago(1))
    far = Cost(amount=Usd.of("0.80"), basis=Basis.REPORTED, doubtful=True)
    spent.add([replace(spent.request(minutes_ago(5)), cost=far)])
    out = cli("check")
    assert out.code == 0
    assert line_of(cli, "otlp") == "otlp note 40 not taken: AGENT span 'my-agent': is no call of a model"
    words = "1 cost (~doubtful) is far from what is computed"
    assert line_of(cli, "helicone ") == f"helicone warning {words}"
    unread_lines = [line for line in out.out.splitlines() if "which is not priced" in line]
    assert " ".join(unread_lines[0].split()) == "ingest warning 312 requests had `unit_0`, which is not priced"
    assert len(unread_lines) == 8
    assert line_of(cli, "sources") == "sources note 4 older remarks: see Sources on screen"


def running(home_store: Store, *conditions: Condition) -> None:
    """A collector that runs and says this of itself."""
    me = RunningCollector(
        pid=os.getpid(),
        state=CollectorState.READY,
        url="http://127.0.0.1:9123",
        started_by="service",
        since=minutes_ago(1),
        process_started=process_start(os.getpid()),
        conditions=conditions,
    )
    announce(places(home_store, data_folder()).holder, me)


def test_what_is_amiss_with_the_running_collector_is_told(cli: Cli, home_store: Store) -> None:
    refused = Condition(
        name="refused /webhook",
        status=ConditionStatus.DEGRADED,
        sentence="5 webhooks refused: the signature does not match. Compare webhook_secrets.",
        since=minutes_ago(3),
    )
    running(home_store, refused)
    out = cli("check").out
    (line,) = [line for line in out.splitlines() if "5 webhooks refused: the signature does not match" in line]
    assert "warning" in line
    assert "Compare webhook_secrets." in out


def test_a_collector_that_cannot_record_fails_the_check(cli: Cli, home_store: Store) -> None:
    away = Condition(name="store", status=ConditionStatus.DOWN, sentence="The store is gone. Start anew.", since=0)
    running(home_store, away)
    said = cli("check")
    assert said.code == 74
    assert "The store is gone" in said.out


def test_what_was_refused_is_told_without_a_collector_too(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        note_refusals(connection, {("helicone", "bad_signature"): 5}, minutes_ago(1), 0)
    said = cli("check")
    (line,) = [line for line in said.out.splitlines() if "5 webhooks refused: the signature does not match" in line]
    assert "warning" in line
    assert said.code == 0


def test_an_address_for_others_wants_an_api_key(cli: Cli) -> None:
    write_config(f'[server]\nport = 0\npublic_url = "https://spend.example"\n{CONFIG}')
    assert "set api_key under [server]" in line_of(cli, "admin key")
    write_config(f"[server]\nport = 0\n{CONFIG}")
    assert "programs on this machine only" in line_of(cli, "admin key")
