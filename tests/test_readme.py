import re
from dataclasses import replace

import pytest

from spendtop.domain.clock import HOUR
from spendtop.domain.filters import FilterContext, Subject, matches, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.request import Status
from spendtop.domain.windows import Calendar
from tests.readme import README, with_current_blocks

AT_14_05 = FilterContext(20_000 * 24 * HOUR + 15 * HOUR, Calendar())
PLAIN = Subject(id="1", occurred_at=AT_14_05.now_us)
SUBJECTS = (
    PLAIN,
    replace(PLAIN, user="alice", model="gpt-4o", token="ci-42", session="pr-88", path="/etl/load"),
    replace(PLAIN, provider="anthropic", sources=("helicone",), external_ids=("a1b2c3",), properties={"env": "prod"}),
    replace(PLAIN, status=Status.ERROR, http_status=429, cost=Usd.of(1), latency_ms=6_000),
    replace(PLAIN, prompt_tokens=9_000, completion_tokens=5_000, total_tokens=14_000),
    replace(PLAIN, completion_tokens=7, occurred_at=AT_14_05.now_us - HOUR + 300_000_000),
    replace(PLAIN, unpriced=True),
    replace(PLAIN, level="batch", partial=True),
    replace(PLAIN, failed=True),
    replace(PLAIN, doubtful=True),
    replace(PLAIN, cached=True),
    replace(PLAIN, verified=True),
    replace(PLAIN, twin=True),
)


def spellings() -> list[tuple[str, str]]:
    """The short and the long form of every row of the table of filters."""
    table = README.read_text().partition("<!-- filters -->")[2].partition("<!-- /filters -->")[0]
    return re.findall(r"^\| `(.+?)` \| `(.+?)` \|", table, re.MULTILINE)


def selected(text: str) -> list[int]:
    """Which of the subjects pass."""
    wanted = parse_filter(text)
    return [index for index, subject in enumerate(SUBJECTS) if matches(wanted, subject, AT_14_05)]


def test_the_tables_are_what_the_program_has() -> None:
    text = README.read_text()
    assert with_current_blocks(text) == text, "run: python -m tests.readme"


@pytest.mark.parametrize(("short", "long"), spellings())
def test_both_spellings_of_a_filter_select_the_same_requests(short: str, long: str) -> None:
    assert 0 < len(selected(short)) < len(SUBJECTS)
    assert selected(long) == selected(short)
    for negated in (f"!{long}", f"-{long}", f"!{short}"):
        assert set(selected(negated)) == {*range(len(SUBJECTS))} - {*selected(short)}
    assert parse_filter(long) == parse_filter(short)


def test_pictures_and_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        if "://" not in target:
            assert (README.parent / target).is_file(), target
