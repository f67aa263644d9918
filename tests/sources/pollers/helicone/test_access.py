"""What is said about refused keys, where the address is one of Helicone's own."""

from __future__ import annotations

import pytest

from spendtop.sources.pollers.helicone.access import advice

US, EU = "https://api.helicone.ai", "https://eu.api.helicone.ai"
KEY = "sk-helicone-abcdefg-hijklmn-opqrstu-vwxyzab"
EU_KEY = "sk-helicone-eu-abcdefg-hijklmn-opqrstu-vwxyzab"


@pytest.mark.parametrize(
    ("key", "base_url", "status", "said", "says"),
    [
        (EU_KEY, US, 401, "No API key found", f'set base_url = "{EU}"'),
        (EU_KEY, US, 401, "", f'set base_url = "{EU}"'),
        (EU_KEY, EU, 401, "No API key found", f'has to be "{US}"'),
        (KEY, US, 401, "No API key found", f'has to be "{EU}"'),
        (KEY, EU, 401, "No API key found", f'has to be "{US}"'),
        (KEY, US, 401, "", "read and write permission"),
        (KEY, US, 403, "", f'has to be "{EU}"'),
        ("sk-ant-admin-1", US, 401, "No API key found", "an admin key of Anthropic"),
        ("sk-abcdefg-old", US, 401, "No API key found", f'has to be "{EU}"'),
    ],
)
def test_the_likely_mistake_is_named(key: str, base_url: str, status: int, said: str, says: str) -> None:
    told = advice(key, base_url, status, said)
    assert says in told
    assert key not in told
