"""Which addresses providers push to."""

from __future__ import annotations

import pytest

from spendtop.domain.errors import UsageError
from spendtop.sources.destinations import public_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://spend.example.org", "https://spend.example.org"),
        ("https://Spend.Example.org:443/", "https://spend.example.org"),
        ("spend.example.org/llm", "https://spend.example.org/llm"),
        ("https://spend.example.org/llm/v1/traces", "https://spend.example.org/llm"),
        ("https://spend.example.org/v1/traces/", "https://spend.example.org"),
    ],
)
def test_an_address_is_taken_without_the_path_of_traces(url: str, address: str) -> None:
    assert public_address(url, "Anthropic") == address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://spend.example.org", "https addresses only"),
        ("https://spend.example.org:8443", "port 443 only"),
        ("https://203.0.113.7", "host names only"),
        ("https://[2001:db8::1]", "host names only"),
        ("https://2130706433", "host names only"),
        ("https://localhost", "host names only"),
        ("https://box.internal", "host names only"),
        ("https://box", "host names only"),
        ("https://me:pw@spend.example.org", "no address"),
        ("https://spend.example.org?x=1", "no address"),
        ("https://spend.example.org#x", "no address"),
        ("https://" + "a" * 2_100 + ".example.org", "no address"),
        ("nothing", "host names only"),
        ("", "no address"),
        ("https://[", "no address"),
        ("https://spend.example.org:port", "no address"),
    ],
)
def test_an_address_that_nobody_pushes_to_is_refused_with_the_way_out(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        public_address(url, "Anthropic")
    assert "me:pw" not in str(refused.value)
    if said != "no address":
        assert "cloudflared" in str(refused.value)
