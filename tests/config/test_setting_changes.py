from __future__ import annotations

from spendtop.config.setting_changes import differences
from tests.config.conftest import LoadText

BEFORE = """
[server]
port = 8000
api_key = "CANARY-old-0123456789"
ingest_keys = { a = "CANARY-0123456789" }
[helicone]
poll_every = "5m"
[[limit]]
name = "daily"
window = "day"
usd = 100
[[limit]]
name = "gone"
window = "day"
usd = 1
[[channel]]
name = "ops"
url = "json://127.0.0.1:9/CANARY"
"""
AFTER = """
[server]
port = 9000
api_key = "CANARY-new-0123456789"
allowed_origins = ["https://a.example"]
[helicone]
poll_every = "90s"
webhook_secrets = ["CANARY"]
[[limit]]
name = "daily"
window = "day"
usd = 120
notify = ["ops"]
[[channel]]
name = "ops"
url = "json://127.0.0.1:9/CANARY2"
[[channel]]
name = "new one"
url = "json://127.0.0.1:9/CANARY3"
[prices."m.x"]
input = 1
output = 2
"""


def test_every_change_is_named_and_no_secret_shown(load_text: LoadText) -> None:
    before, after = load_text(BEFORE).settings, load_text(AFTER).settings
    assert differences(before, after) == [
        "limit.gone: removed",
        'channel."new one": added',
        "server.port: 8000 → 9000 (from the next start on)",
        "server.api_key: changed",
        "server.ingest_keys.a: removed",
        'server.allowed_origins: [] → ["https://a.example"]',
        "limit.daily.usd: $100.00 → $120.00",
        'limit.daily.notify: unset → ["ops"]',
        "channel.ops.url: changed",
        "helicone.poll_every: 5m → 90s",
        'prices."m.x".input: unset → 1',
        'prices."m.x".output: unset → 2',
        "helicone.webhook_secrets.0: set",
    ]


def test_equal_settings_differ_in_nothing(load_text: LoadText) -> None:
    assert differences(load_text(AFTER).settings, load_text(AFTER).settings) == []
