from __future__ import annotations

import pytest

from tests.config.conftest import LoadText

LIMIT = '[[limit]]\nname = "a"\nwindow = "day"\nusd = 1\n'
CHANNEL = '[[channel]]\nname = "ops"\nurl = "json://127.0.0.1:9"\n'


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[server]\nhost = '0.0.0.0'", "0.0.0.0 is open to other machines without server.api_key"),
        ("[server]\napi_key = 'short'", "server.api_key is short"),
        ("[server]\ningest_keys = { ci = 'short' }", "server.ingest_keys.ci is short"),
        ("[helicone]\npoll_every = '5s'", "helicone poll_every 5s is below 1m"),
        ("[[account]]\nname = 'r'\nprovider = 'openrouter'\npoll_every = '59s'", 'account "r" poll_every 59s'),
        (LIMIT, "limits are shown on screen only"),
        (LIMIT + "notify = []\n" + CHANNEL, 'channel "ops" is named by no limit'),
    ],
)
def test_doubtful_settings_work_and_warn(load_text: LoadText, text: str, part: str) -> None:
    (warning,) = load_text(text).warnings
    assert part in warning


def test_sound_settings_do_not_warn(load_text: LoadText) -> None:
    text = "[server]\nhost = '0.0.0.0'\napi_key = '0123456789abcdef'\n[helicone]\npoll_every = '1m'\n"
    assert load_text(text + LIMIT + CHANNEL).warnings == ()
