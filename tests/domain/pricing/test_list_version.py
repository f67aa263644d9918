from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spendtop.domain.clock import DAY, HOUR, to_micros
from spendtop.domain.pricing.list_version import ListVersion, age, priced_by

FETCHED_AT = to_micros(datetime(2026, 11, 29, 12, tzinfo=UTC))
FETCHED = ListVersion.of_fetched("ab12cd34" + "0" * 56, FETCHED_AT, FETCHED_AT)
BUNDLED = ListVersion.of_package("0.2.3")


def test_a_version_names_its_list() -> None:
    assert BUNDLED.name == "genai-prices 0.2.3"
    assert FETCHED.name == "genai-prices 2026-11-29 sha256:ab12cd34"


@pytest.mark.parametrize(
    ("version", "later", "words"),
    [
        (FETCHED, 0, "fetched within the last 24 h"),
        (FETCHED, -HOUR, "fetched within the last 24 h"),
        (FETCHED, DAY, "fetched 1 day ago"),
        (FETCHED, 40 * DAY + HOUR, "fetched 40 days ago"),
        (BUNDLED, 0, "came with the program, age not known"),
        (
            ListVersion(name=BUNDLED.name, newest_price="2026-10-28"),
            0,
            "came with the program, age not known, newest dated price of 2026-10-28",
        ),
    ],
)
def test_the_age_is_told_as_far_as_it_is_known(version: ListVersion, later: int, words: str) -> None:
    assert age(version, FETCHED_AT + later) == words


@pytest.mark.parametrize(
    ("name", "later", "words"),
    [
        (FETCHED.name, 0, f"{FETCHED.name}, fetched that day"),
        (FETCHED.name, DAY, f"{FETCHED.name}, fetched 1 day before the request"),
        (FETCHED.name, -12 * DAY, f"{FETCHED.name}, fetched 12 days after the request"),
        (BUNDLED.name, 0, f"{BUNDLED.name}, came with the program, age not known"),
        ("own", 0, "own"),
        ("hook", 0, "hook"),
        ("genai-prices 2026-02-31 sha256:ab12cd34", 0, "genai-prices 2026-02-31 sha256:ab12cd34"),
        ("genai-prices \x1b[2J", 0, "genai-prices ␛[2J"),
        (None, 0, None),
    ],
)
def test_a_request_says_how_old_the_list_was_that_priced_it(name: str | None, later: int, words: str | None) -> None:
    assert priced_by(name, FETCHED_AT + later) == words
