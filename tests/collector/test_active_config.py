from __future__ import annotations

import pytest

from spendtop.collector.active_config import ActiveConfig
from spendtop.domain.clock import DAY
from spendtop.domain.errors import ConfigError
from spendtop.domain.sources.records import KeyRule, pushed_sources
from tests.collector.conftest import Bench

LIMITS = '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 10\n[[limit]]\nname = "fast"\nwindow = "1h"\nusd = 0.5\n'
PUSHES = ", ".join(source.path for source in pushed_sources(KeyRule.INGEST_KEY))
CHANNEL = '[[channel]]\nname = "ops"\nurl = "json://user:canary@127.0.0.1/"\n'


def facts_of(bench: Bench, text: str) -> dict[str, str]:
    bench.file.write_text(text)
    return dict(ActiveConfig(bench.load(), bench.clock).facts("http://127.0.0.1:8000", "/tmp/spendtop.db", None))


def test_the_banner_says_where_it_listens_and_what_it_watches(bench: Bench) -> None:
    assert facts_of(bench, bench.file.read_text() + LIMITS + CHANNEL) == {
        "Listening": "http://127.0.0.1:8000",
        "Webhook": "http://127.0.0.1:8000/webhook",
        "Pushes": f"{PUSHES}  (off: name a key under ingest_keys)",
        "Dashboard": "http://127.0.0.1:8000/dashboard  (this machine only: set api_key under [server])",
        "Store": "/tmp/spendtop.db",
        "Limits": "daily $10.00/day, fast $0.500/1h",
        "Channels": "ops",
        "Stop": "Ctrl+C stops",
    }


def test_the_banner_says_what_is_off_and_how_to_switch_it_on(bench: Bench) -> None:
    facts = facts_of(bench, "")
    assert facts["Webhook"] == "http://127.0.0.1:8000/webhook  (off: set webhook_secrets under [helicone])"
    assert (facts["Limits"], facts["Channels"]) == ("none", "none")
    assert "off" not in facts_of(bench, "[helicone]\nallow_unsigned = true\n")["Webhook"]


def test_the_banner_names_the_public_address_of_the_webhook(bench: Bench) -> None:
    facts = facts_of(bench, bench.file.read_text() + '[server]\npublic_url = "https://spend.example.com"\n')
    assert facts["Webhook"] == "https://spend.example.com/webhook"
    assert facts["Dashboard"].startswith("https://spend.example.com/dashboard")


def test_the_banner_says_that_the_dashboard_has_a_sign_in(bench: Bench) -> None:
    facts = facts_of(bench, '[server]\napi_key = "a-key-of-twenty-letters"\n')
    assert facts["Dashboard"] == "http://127.0.0.1:8000/dashboard"


def test_a_configuration_that_cannot_be_applied_changes_nothing(bench: Bench) -> None:
    bench.configure(LIMITS)
    active = ActiveConfig(bench.load(), bench.clock)
    before = {name: getattr(active, name) for name in ("settings", "preparer", "book", "evaluator", "digest")}
    bench.configure('[pricing]\nhook = "./missing.py:cost"\n')
    with pytest.raises(ConfigError, match=r"missing\.py"):
        active.apply(bench.load())
    assert {name: getattr(active, name) for name in before} == before


def test_a_good_one_replaces_everything(bench: Bench) -> None:
    active = ActiveConfig(bench.load(), bench.clock)
    before = active.digest
    bench.configure(LIMITS + CHANNEL + '[retention]\nbodies = "7d"\nrequests = "100d"\n')
    active.apply(bench.load())
    assert [limit.name for limit in active.book.limits] == ["daily", "fast"]
    assert list(active.channel_urls) == ["ops"]
    assert (active.retention.bodies, active.retention.requests) == (7 * DAY, 100 * DAY)
    assert active.digest != before
