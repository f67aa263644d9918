"""Refused posts in words."""

from __future__ import annotations

import pytest

from spendtop.domain.sources.records import HELICONE, INGEST, OTLP
from spendtop.domain.sources.refusals import RefusalReason, RefusedPosts


def test_a_mistyped_secret_is_told_with_what_to_compare() -> None:
    posts = RefusedPosts(source=HELICONE, reason=RefusalReason.BAD_SIGNATURE, count=5)
    assert posts.fact == "5 webhooks refused: the signature does not match"
    assert "HELICONE_WEBHOOK_SECRET" in posts.sentence
    assert "webhook_secrets under [helicone]" in posts.sentence


def test_one_is_one_and_pushes_name_their_path() -> None:
    one = RefusedPosts(source=HELICONE, reason=RefusalReason.NO_SIGNATURE, count=1)
    assert one.fact == "1 webhook refused: there is no signature"
    several = RefusedPosts(source=OTLP, reason=RefusalReason.BAD_KEY, count=1_200)
    assert several.fact == "1,200 pushes to /v1/traces refused: the ingest key is unknown"


def test_a_token_is_named_as_harmless_text() -> None:
    posts = RefusedPosts(source=INGEST, reason=RefusalReason.DISABLED_TOKEN, count=2, token="Web\x1b[2J App")
    assert posts.fact.startswith("2 pushes to /ingest refused: the tracking token Web")
    assert posts.fact.endswith("App is switched off")
    assert "\x1b" not in posts.sentence


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_says_what_is_wrong_and_what_to_do(reason: RefusalReason) -> None:
    for source in (HELICONE, INGEST):
        sentence = RefusedPosts(source=source, reason=reason, count=3).sentence
        assert sentence.count(". ") == 1
        assert sentence.endswith(".")
        assert "{" not in sentence
