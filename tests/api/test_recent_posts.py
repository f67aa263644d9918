from __future__ import annotations

import gzip

from spendtop.api.recent_posts import BEGINNING, RecentPosts, TakenPost
from spendtop.api.shown_posts import ShownPosts
from tests.api.listening import settings_of

MEGABYTE = 1024 * 1024


def test_the_last_twenty_of_each_source_are_kept_and_two_megabytes_of_all() -> None:
    posts = RecentPosts()
    for number in range(25):
        posts.add("ingest", number, 9, b"{}")
    assert [post.at for post in posts.of("ingest")] == list(range(24, 4, -1))
    for number in range(40):
        for source in ("litellm", "otlp"):
            posts.add(source, number, MEGABYTE, b"x" * BEGINNING)
    kept = [len(post.beginning) for source in ("ingest", "litellm", "otlp") for post in posts.of(source)]
    assert 2 * MEGABYTE - BEGINNING <= sum(kept) <= 2 * MEGABYTE
    assert [len(posts.of(source)) for source in ("ingest", "litellm", "otlp", "unknown")] == [20, 15, 16, 0]


def test_what_is_packed_is_shown_as_text_and_what_is_none_is_not() -> None:
    shown = ShownPosts(settings_of(), "ingest")
    packed = gzip.compress(b'{"resourceSpans": ["hello"]}')
    whole = shown.body_of(TakenPost(1, 0, len(packed), packed))
    assert (whole.text, whole.remark) == ('{"resourceSpans": ["hello"]}', "")
    bomb = gzip.compress(b"[" + b" " * MEGABYTE)
    assert len(shown.body_of(TakenPost(1, 0, len(bomb), bomb)).text) == BEGINNING - 1_024
    cut = shown.body_of(TakenPost(1, 0, 99_000, b'{"a": "b' * 8_000))
    assert cut.remark == "Its beginning: 99,000 bytes were sent."
    binary = shown.body_of(TakenPost(1, 0, 4, b"\n\0\xff\x1f\x8b"))
    assert binary.text == "" and "no text" in binary.remark


def test_a_secret_that_is_cut_in_two_is_not_shown() -> None:
    """At the end of what is kept of a post none can be recognised."""
    secret = "an-api-key-of-twenty-nine-bytes"
    shown = ShownPosts(settings_of({"api_key": secret}), "ingest")
    begins = b'{"note": "' + b"x " * ((BEGINNING - 30) // 2)
    whole = begins + secret.encode() + b'"}'
    for beginning in (whole[:BEGINNING], gzip.compress(whole)):
        post = shown.body_of(TakenPost(1, 0, len(whole), beginning))
        assert secret[:6] not in post.text and post.text.startswith('{"note": "x x')
