from __future__ import annotations

import ast
import re

import pytest

from spendtop.services.snippets import KEY_VARIABLE, snippets

HOSTILE = "http://host/a\"b$(id)`id`'c"


def test_every_client_is_served() -> None:
    assert list(snippets("value", "http://127.0.0.1:8000")) == ["python", "curl", "litellm", "opentelemetry"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/"])
def test_name_the_right_addresses(url: str) -> None:
    found = snippets("value", url)
    assert 'INGEST = "http://127.0.0.1:8000/ingest"' in found["python"]
    assert "ENDPOINT=http://127.0.0.1:8000/v1/traces\n" in found["opentelemetry"]
    assert found["curl"].endswith("http://127.0.0.1:8000/ingest\n")
    assert 'endpoint: "http://127.0.0.1:8000/litellm"' in found["litellm"]
    assert 'SpendtopLogger(url="http://127.0.0.1:8000", tracking_token="value")' in found["litellm"]


def test_say_which_key_has_to_be_set_and_hold_none() -> None:
    for text in snippets("value", "http://127.0.0.1:8000", "apps").values():
        assert f'{KEY_VARIABLE} has to hold the ingest key "apps"' in text


def test_a_key_named_badly_stays_in_its_comment() -> None:
    found = snippets("value", "http://127.0.0.1:8000", "apps\nimport os")
    assert all("\nimport os (" not in text and "apps\\nimport os" in text for text in found.values())


def test_litellm_takes_the_key_in_the_only_form_that_it_fills_in() -> None:
    """LiteLLM fills in values that begin with os.environ/, nothing within a longer text."""
    assert f"      X-Ingest-Key: os.environ/{KEY_VARIABLE}\n" in snippets("value", "http://h")["litellm"]


def test_an_address_is_quoted_for_its_language() -> None:
    found = snippets("value", HOSTILE)
    constants = [node.value for node in ast.walk(ast.parse(found["python"])) if isinstance(node, ast.Constant)]
    assert f"{HOSTILE}/ingest" in constants
    assert "'http://host/a\"b$(id)`id`'\"'\"'c/ingest'" in found["curl"]


def test_no_model_is_named_that_a_provider_takes_away() -> None:
    for text in snippets("value", "http://h").values():
        assert not re.search(r"gpt-\d|claude-|o\d-|text-embedding", text)
