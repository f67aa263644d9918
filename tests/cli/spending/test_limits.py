from __future__ import annotations

import json

import pytest

from spendtop.collector.from_settings import book_of
from spendtop.config.load import load
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.requests.request import Usage
from spendtop.domain.windows import Calendar
from spendtop.services.alerting.provider_limits import take_limits
from spendtop.services.recording.preparation import Prepared
from spendtop.services.recording.transaction import Recording
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds, identity
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.store.conftest import Recorded

LIMITS = """
[time]
zone = "UTC"
[[limit]]
name = "last hour"
window = "1h"
usd = 10
[[limit]]
name = "each user"
each = "user"
window = "24h"
usd = 100
[[limit]]
name = "this month"
window = "month"
usd = 1000
"""


def test_without_limits_it_says_how_to_make_one(cli: Cli, home_store: Store) -> None:
    for words in (("limit", "list"), ("limit", "check")):
        said = cli(*words)
        assert said.code == 0
        assert "[[limit]]" in said.out


def test_every_limit_is_listed_with_its_use_the_fullest_first(cli: Cli, spent: Recorded) -> None:
    write_config(LIMITS)
    spent.add(
        [
            spent.request(minutes_ago(5), 8_500_000_000, user_id="alice"),
            spent.request(minutes_ago(6), None, user_id="bo\x1bb"),
        ]
    )
    code, out, err = cli("limit", "list")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split() == [
        "name",
        "entity",
        "window",
        "used",
        "limit",
        "%",
        "state",
        "unpriced",
        "resets",
        "reaches",
    ]
    assert lines[1].split()[:9] == ["last", "hour", "everyone", "1h", "$8.50", "$10.00", "85%", "approaching", "1"]
    assert "each user   alice" in lines[2]
    assert any("bo␛b" in line for line in lines)
    assert any(line.endswith("-01 00:00  not enough data") for line in lines)


def test_a_limit_of_families_is_listed_by_family(cli: Cli, home_store: Store, spent: Recorded) -> None:
    text = '[[limit]]\nname = "families"\nwindow = "1h"\nusd = 10\neach = "model_family"\n'
    book = book_of(load(write_config(text), sections=SECTIONS, environ={}).settings, PublishedPrices(), minutes_ago(0))
    names = ("gpt-4o", "openai/gpt-4o-2024-08-06", "o3")
    spent.add([spent.request(minutes_ago(5), 3_000_000_000, model=name) for name in names], book.limits)
    lines = cli("limit", "list").out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["families", "gpt-4o", "1h", "$6.00"],
        ["families", "o3", "1h", "$3.00"],
    ]


@pytest.mark.parametrize(
    ("nano", "code", "word"), [(1, 0, "ok"), (8_000_000_000, 10, "approaching"), (10_000_000_000, 11, "exceeded")]
)
def test_check_exits_by_the_worst_limit(cli: Cli, spent: Recorded, nano: int, code: int, word: str) -> None:
    write_config(LIMITS)
    spent.add([spent.request(minutes_ago(5), nano, user_id="alice")])
    said = cli("limit", "check")
    assert said.code == code
    assert word in said.out
    assert "this month" not in said.out


def test_almost_all_is_never_shown_as_all(cli: Cli, spent: Recorded) -> None:
    write_config(LIMITS)
    spent.add([spent.request(minutes_ago(5), 9_999_999_999)])
    assert "99%" in cli("limit", "list").out


def test_an_unpriced_request_counts_at_the_reserve(cli: Cli, home_store: Store, spent: Recorded) -> None:
    text = '[[limit]]\nname = "careful"\nwindow = "1h"\nusd = 10\nreserve = "model:own"\n'
    path = write_config(f'{text}[prices."own"]\ninput = 1000000\noutput = 0')
    settings = load(path, sections=SECTIONS, environ={}).settings
    request = spent.request(minutes_ago(5), None, usage=Usage(prompt=9, completion=0))
    book = book_of(settings, PublishedPrices(), minutes_ago(0))
    recording = Recording(home_store.write_engine.dialect, RequestIds(slot=4), book, lambda request: request.cost)
    with home_store.writing() as connection:
        recording.record(connection, [Prepared(identity(request.source, request.external_id), request, None)])
    said = cli("limit", "check")
    assert said.code == 10
    assert "$9.00" in said.out


def test_limits_are_those_that_the_collector_applied(cli: Cli, home_store: Store, spent: Recorded) -> None:
    applied = load(write_config(LIMITS), sections=SECTIONS, environ={}).settings
    collector = CollectorInfo(version="1", host="here", pid=1, url="http://127.0.0.1:1", started_at=0)
    with home_store.writing() as connection:
        keep(
            connection,
            Applied(
                limits=tuple(limit.limit() for limit in applied.limits),
                calendar=Calendar("UTC"),
                channels=(),
                collector=collector,
                at=0,
                config_digest="",
            ),
        )
    write_config("")
    spent.add([spent.request(minutes_ago(5), 1, user_id="alice")])
    assert "this month" in cli("limit", "list").out


def test_a_limit_is_raised_for_one_and_lists_say_so(cli: Cli, spent: Recorded) -> None:
    write_config(LIMITS)
    spent.add([spent.request(minutes_ago(5), 120_000_000_000, user_id=user) for user in ("ada", "bob")])
    assert cli("limit", "check").code == 11
    code, out, _ = cli("limit", "raise", "each user", "ada", "+50", "--until", "tomorrow")
    assert code == 0
    assert out.startswith("each user for ada: $100.00 + $50.00 until 20")
    assert out.endswith(" 00:00, then as before.\n")
    ada = next(line for line in cli("limit", "list").out.splitlines() if " ada " in line)
    assert "$150.00" in ada and "+$50.00 until 20" in ada
    assert "approaching" in ada


def test_raises_are_taken_back_of_one_or_of_all(cli: Cli, spent: Recorded) -> None:
    write_config(LIMITS)
    for whose in (["ada"], ["bob"], []):
        assert cli("limit", "raise", "each user", *whose, "+50", "--until", "tomorrow").code == 0
    code, out, _ = cli("limit", "unraise", "each user", "ada")
    assert (code, out[:36]) == (0, "each user for ada: + $50.00 until 20")
    again = cli("limit", "unraise", "each user", "ada")
    assert (again.code, "is not raised for ada" in again.err) == (2, True)
    assert [line.split(":")[0] for line in cli("limit", "unraise", "each user").out.splitlines()] == [
        "each user for bob",
        "each user",
    ]
    assert "is not raised; there is nothing" in cli("limit", "unraise", "each user").err
    assert "There is no limit 'dayly'" in cli("limit", "unraise", "dayly").err
    assert "without naming anybody" in cli("limit", "unraise", "last hour", "ada").err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("dayly", "+20", "--until", "2h"), "There is no limit 'dayly'"),
        (("last hour", "lots", "--until", "2h"), "'lots' is no amount in US dollars"),
        (("last hour", "+20", "--until", "soon"), "--until: an end is tonight, tomorrow"),
        (("last hour", "ada", "+20", "--until", "2h"), "without naming anybody"),
        (("last", "hour", "again", "+20", "--until", "2h"), "in quotes"),
        (("last hour", "+20"), "--until"),
    ],
)
def test_a_raise_that_cannot_be_is_a_usage_error(
    cli: Cli, home_store: Store, words: tuple[str, ...], problem: str
) -> None:
    write_config(LIMITS)
    code, _, err = cli("limit", "raise", *words)
    assert code == 2
    assert problem in err


def test_a_back_test_tells_on_which_days_and_as_json(cli: Cli, spent: Recorded) -> None:
    write_config(LIMITS)
    spent.add([spent.request(minutes_ago(5), 9_000_000_000)])
    code, out, _ = cli("limit", "backtest", "last hour", "--days", "7")
    assert code == 0
    assert out.splitlines()[0] == "last hour, $10.00 per 1h, over the last 7 days:"
    assert "80% on 1 of " in out and "100% on 0." in out
    assert "There are data since" in out
    found = json.loads(cli("limit", "backtest", "this month", "--usd", "8", "--json").out)
    assert (found["unit"], found["nanousd"]) == ("month", 8_000_000_000)
    assert [each["times"] for each in found["thresholds"]] == [1, 1]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("dayly",), "There is no limit 'dayly'"),
        (("last hour", "--usd", "0"), "--usd has to be more"),
        (("last hour", "--usd", "few"), "'few' is no amount"),
        (("last hour", "--days", "0"), "--days: say from 1"),
    ],
)
def test_a_back_test_that_cannot_be_says_why(cli: Cli, home_store: Store, words: tuple[str, ...], problem: str) -> None:
    write_config(LIMITS)
    code, _, err = cli("limit", "backtest", *words)
    assert (code, problem in err) == (2, True)


def test_all_lists_what_providers_tell_of_theirs_too(cli: Cli, home_store: Store) -> None:
    assert "No provider told of limits" in cli("limit", "list", "--all").out
    told = [
        ProviderLimit(scope="key", name="ci\x1b[31m", amount=Usd.of(10), used=Usd.of("9.6"), interval="30d"),
        ProviderLimit(scope="organization", amount=None, interval="month", enforced=False),
    ]
    with home_store.writing() as connection:
        take_limits(connection, "litellm-limits/proxy", "litellm", "proxy", told, minutes_ago(1))
    key, organization = cli("limit", "list", "--all").out.splitlines()[-2:]
    assert key.split()[:4] == ["litellm", "key", "ci[31m", "30d"] or "\x1b" not in key
    assert "$9.60" in key and "96%" in key and "approaching" in key and "yes" in key
    assert "unlimited" in organization and "unknown" in organization
    listed = json.loads(cli("limit", "list", "--all", "--json").out)
    assert [each["limit_usd"] for each in listed["provider_limits"]] == [10.0, None]
    assert "provider_limits" not in json.loads(cli("limit", "list", "--json").out)
