from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.collector import from_settings
from spendtop.config.load import load
from spendtop.config.settings import Settings
from spendtop.domain.money import Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.requests.request import Basis, BodyState, Cost, Quantities, Usage
from spendtop.domain.sources.records import INGEST
from spendtop.services.recording import pricing_hook
from spendtop.services.recording.preparation import Prepared, Preparer
from spendtop.sources.settings import SECTIONS
from spendtop.store import bodies
from spendtop.store.reads.configuration.applied import Doors
from tests.collector.conftest import Bench
from tests.waiting import DEADLINE

SECRETS = {
    "api": "canary-of-the-api-key",
    "ingest": "canary-of-an-ingest-key",
    "helicone": "canary-of-the-helicone-key",
    "webhook": "canary-of-the-webhook-secret",
    "openai": "canary-of-the-openai-key",
    "anthropic": "canary-of-the-anthropic-key",
    "account": "canary-of-an-account-key",
    "mail": "s3cr3t/canary",
    "slack": "canaryOfTheSlackToken0123",
    "database": "canary-of-the-database",
}
CONFIG = f"""\
[server]
api_key = "{SECRETS["api"]}"
ingest_keys = {{ default = "{SECRETS["ingest"]}", none = "" }}
[database]
url = "postgresql://ann:{SECRETS["database"]}@db/spend"
[helicone]
api_key = "{SECRETS["helicone"]}"
webhook_secrets = ["{SECRETS["webhook"]}"]
[openai]
admin_key = "{SECRETS["openai"]}"
[anthropic]
admin_key = "{SECRETS["anthropic"]}"
[[account]]
name = "router"
provider = "openrouter"
key = "{SECRETS["account"]}"
[[channel]]
name = "mail"
url = "mailtos://ann:s3cr3t%2Fcanary@example.com/?to=ops@example.com"
min_severity = "critical"
[[channel]]
name = "chat"
url = "json://127.0.0.1/{SECRETS["slack"]}/path"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "spendtop.toml"
    path.touch(mode=0o600)
    return path


def settings_of(file: Path, text: str) -> Settings:
    file.write_text(text)
    return load(file, sections=SECTIONS, environ={}).settings


def preparer_of(file: Path, text: str) -> Preparer:
    return from_settings.preparer_of(settings_of(file, text), PublishedPrices())


def prepared(preparer: Preparer, bench: Bench, prompt: str) -> Prepared:
    ready = preparer.prepare(bench.request(request_body=b'{"prompt": "' + prompt.encode() + b'"}'))
    assert isinstance(ready, Prepared)
    return ready


def kept_prompt(ready: Prepared) -> bytes | None:
    return bodies.decode(ready.body[1])[0] if ready.body is not None else None


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_of_ours_is_masked_in_stored_bodies(file: Path, bench: Bench, name: str) -> None:
    ready = prepared(preparer_of(file, CONFIG), bench, f"it is {SECRETS[name]}, keep it")
    assert kept_prompt(ready) == b'{"prompt": "it is [redacted], keep it"}'


def test_the_whole_address_of_a_channel_is_masked(file: Path, bench: Bench) -> None:
    ready = prepared(preparer_of(file, CONFIG), bench, f"json://127.0.0.1/{SECRETS['slack']}/path")
    assert kept_prompt(ready) == b'{"prompt": "[redacted]"}'


def test_a_password_in_the_query_of_the_stores_address_is_masked(file: Path, bench: Bench) -> None:
    config = '[database]\nurl = "postgresql://ann@db/spend?password=canary-of-the-query"\n'
    ready = prepared(preparer_of(file, config), bench, "it is canary-of-the-query")
    assert kept_prompt(ready) == b'{"prompt": "it is [redacted]"}'


@pytest.mark.parametrize(
    ("mode", "kept", "state"),
    [
        ("full", b'{"prompt": "canary-of-the-api-key"}', BodyState.STORED),
        ("redact", b'{"prompt": "[redacted]"}', BodyState.STORED),
        ("metadata_only", None, BodyState.NOT_KEPT),
        ("none", None, BodyState.NOT_KEPT),
    ],
)
def test_bodies_are_kept_as_privacy_says(
    file: Path, bench: Bench, mode: str, kept: bytes | None, state: BodyState
) -> None:
    ready = prepared(preparer_of(file, CONFIG + f'[privacy]\nbodies = "{mode}"\n'), bench, SECRETS["api"])
    assert (kept_prompt(ready), ready.request.body_state) == (kept, state)


def test_own_prices_come_before_published_ones(file: Path, bench: Bench) -> None:
    text = '[prices."gpt-4o"]\ninput = 1000\noutput = 2000\n'
    ready = preparer_of(file, text).prepare(bench.request(None, usage=Usage(prompt=3, completion=4)))
    assert isinstance(ready, Prepared)
    assert ready.request.cost.amount == Usd.of("0.011")
    assert ready.request.cost.basis is Basis.COMPUTED


def test_an_own_rule_comes_after_own_prices_and_before_published_ones(
    file: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing_hook, "_LONGEST_SECONDS", DEADLINE)
    file.with_name("costs.py").write_text("from decimal import Decimal\ndef cost(request): return Decimal('0.5')\n")
    preparer = preparer_of(file, '[pricing]\nhook = "./costs.py:cost"\n[prices.own]\ninput = 1000\noutput = 2000\n')
    for model, expected in (("own", "0.011"), ("gpt-4o", "0.5")):
        ready = preparer.prepare(bench.request(None, model=model, usage=Usage(prompt=3, completion=4)))
        assert isinstance(ready, Prepared)
        assert ready.request.cost.amount == Usd.of(expected)


def cost_of(file: Path, bench: Bench, text: str, reported: float | None = None, **fields: object) -> Cost:
    ready = preparer_of(file, text).prepare(bench.request(reported, **fields))
    assert isinstance(ready, Prepared)
    return ready.request.cost


VOICE = """
[prices.voice]
input = 4
audio_input = 32
audio_input_minute = 0.006
web_searches_per_thousand = 10
request = 0.001
"""


@pytest.mark.parametrize(
    ("usage", "dollars", "unpriced"),
    [
        (Usage(prompt=1_000, completion=0, units={"input_audio_tokens": 500}), "0.019", None),
        (Usage(units={"input_audio_seconds": 90}), "0.01", None),
        (Usage(prompt=1_000, completion=0, units={"web_searches": 2}), "0.025", None),
        (Usage(prompt=1_000, completion=0, cache_read=1_000), "0.005", None),
        (Usage(prompt=1_000, completion=5), "0.005", {"output_tokens": 5}),
        (Usage(prompt=1_000, completion=0, units={"code_executions": 3}), "0.005", {"code_executions": 3}),
    ],
)
def test_own_prices_are_of_any_unit(
    file: Path, bench: Bench, usage: Usage, dollars: str, unpriced: Quantities | None
) -> None:
    cost = cost_of(file, bench, VOICE, model="voice", usage=usage)
    assert (cost.amount, cost.unpriced_units) == (Usd.of(dollars), unpriced)


def test_an_own_price_holds_as_a_whole(file: Path, bench: Bench) -> None:
    """The published price of gpt-4o's searches is not looked up beside an own one of its tokens."""
    usage = Usage(prompt=1_000, completion=0, units={"web_searches": 1})
    assert cost_of(file, bench, "", usage=usage).amount == Usd.of("0.0125")
    cost = cost_of(file, bench, "[prices.gpt-4o]\ninput = 1\n", usage=usage)
    assert (cost.amount, cost.unpriced_units) == (Usd.of("0.001"), {"web_searches": 1})


@pytest.mark.parametrize(
    ("model", "dollars"), [("own", "0.001"), ("gpt-4o", "0.0025"), ("unheard-of", "0.005"), (None, "0.005")]
)
def test_models_without_any_other_price_have_that_of_all(
    file: Path, bench: Bench, model: str | None, dollars: str
) -> None:
    text = '[prices."*"]\ninput = 5\noutput = 20\n[prices.own]\ninput = 1\noutput = 1\n'
    assert cost_of(file, bench, text, model=model, usage=Usage(prompt=1_000, completion=0)).amount == Usd.of(dollars)


@pytest.mark.parametrize(
    ("over", "reported", "model", "cost"),
    [
        ("unknown", 0.25, "gpt-4o", "0.25"),
        ("unknown", None, "gpt-4o", "0.5"),
        ("unknown", None, "own", "0.011"),
        ("unknown", None, "mine", "0.0000475"),
        ("all", 0.25, "gpt-4o", "0.5"),
        ("all", None, "own", "0.5"),
        ("all", 0.25, "mine", "0.25"),
    ],
)
def test_an_own_rule_is_asked_first_or_where_nobody_said_a_cost(
    file: Path,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    over: str,
    reported: float | None,
    model: str,
    cost: str,
) -> None:
    """It has no opinion on the model `mine`."""
    monkeypatch.setattr(pricing_hook, "_LONGEST_SECONDS", DEADLINE)
    file.with_name("costs.py").write_text("def cost(request): return None if request.model == 'mine' else 0.5\n")
    text = f'[pricing]\nhook = "./costs.py:cost"\nhook_over = "{over}"\n[prices.own]\ninput = 1000\noutput = 2000\n'
    text += '[prices."*"]\ninput = 2.5\noutput = 10\n'
    usage = Usage(prompt=3, completion=4)
    assert cost_of(file, bench, text, reported, model=model, usage=usage).amount == Usd.of(cost)


def test_a_reserve_counts_unpriced_requests_at_a_ceiling_price(file: Path, bench: Bench) -> None:
    limit = '[[limit]]\nname = "a"\nwindow = "day"\nusd = 1\n'
    settings = settings_of(file, limit + 'reserve = "model:gpt-4o"\n' + limit.replace('"a"', '"b"'))
    book = from_settings.book_of(settings, PublishedPrices(), bench.clock())
    assert list(book.reserves) == list(book.ceilings) == ["a"]
    request = bench.request(None, model="unheard-of", usage=Usage(prompt=1_000_000, completion=0))
    reserved = book.cost(book.limits[0], request)
    assert reserved is not None and reserved.nano > 0
    assert book.cost(book.limits[1], request) is None


def test_channels_are_known_by_name_and_their_addresses_to_the_courier_alone(file: Path) -> None:
    settings = settings_of(file, CONFIG)
    assert [(channel.name, channel.min_severity) for channel in from_settings.channels_of(settings)] == [
        ("mail", "critical"),
        ("chat", "info"),
    ]
    assert from_settings.channel_urls(settings)["chat"] == f"json://127.0.0.1/{SECRETS['slack']}/path"


def test_a_digest_tells_configurations_apart_and_says_nothing(file: Path) -> None:
    before = from_settings.digest(settings_of(file, CONFIG))
    assert from_settings.digest(settings_of(file, CONFIG + "# a remark\n")) == before
    for change in (("canary-of-the-api-key", "another-key"), ("critical", "warning"), ("/path", "/other")):
        assert from_settings.digest(settings_of(file, CONFIG.replace(*change))) != before
    assert len(before) == 16


@pytest.mark.parametrize(
    ("text", "doors"),
    [
        ("", Doors()),
        ('[server]\ningest_keys = { none = "" }\n[helicone]\nallow_unsigned = true\n', Doors(unsigned=True)),
        (CONFIG, Doors(webhook_secret=True, ingest_keys=("default",))),
    ],
)
def test_which_ways_in_are_open_is_told_without_their_keys(file: Path, text: str, doors: Doors) -> None:
    assert from_settings.doors_of(settings_of(file, text)) == doors


@pytest.mark.parametrize(
    ("model", "named", "provider", "is_priced"),
    [
        ("claude-sonnet-4-5", None, "anthropic", True),
        ("gpt-4o", None, "openai", True),
        ("claude-sonnet-4-5", "openai", "openai", False),
        ("acme-private-7b", None, "openai", False),
    ],
)
def test_a_push_without_a_provider_is_priced_as_its_models_owner_does(
    file: Path, bench: Bench, model: str, named: str | None, provider: str, is_priced: bool
) -> None:
    usage = Usage(prompt=1000, completion=100)
    pushed = bench.request(None, source=INGEST, model=model, provider=named, usage=usage)
    ready = preparer_of(file, "").prepare(pushed)
    assert isinstance(ready, Prepared)
    assert (ready.request.provider, ready.request.cost.amount is not None) == (provider, is_priced)
