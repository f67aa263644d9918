import os
import re
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import FilterContext, Subject, matches, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request, Status
from spendtop.domain.windows import Calendar
from spendtop.sources.receivers.helicone import HeliconeReceiver
from tests.readme import README, with_current_blocks
from tests.waiting import DEADLINE

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
    replace(PLAIN, plan=True),
    replace(PLAIN, twin=True),
    replace(PLAIN, imported=True),
    replace(PLAIN, prompt="a Refund, please", response="Sorry, no."),
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


def test_the_webhook_by_hand_is_one_that_is_taken(tmp_path: Path) -> None:
    block = README.read_text().partition("<!-- webhook -->")[2].partition("<!-- /webhook -->")[0]
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\nprintf %s "$3" > header\nprintf %s "$7" > body\n')
    curl.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HELICONE_WEBHOOK_SECRET": "a1b2c3d4e5f6"}
    script = block.strip().removeprefix("```sh").removesuffix("```")
    subprocess.run(["sh", "-eu", "-c", script], env=environment, cwd=tmp_path, check=True, timeout=DEADLINE)
    name, _, signature = (tmp_path / "header").read_text().partition(": ")
    raw, receiver = (tmp_path / "body").read_bytes(), HeliconeReceiver()
    assert name == "Helicone-Signature"
    assert receiver.verify(raw, [signature.encode()], [b"a1b2c3d4e5f6"])
    parsed = receiver.parse(raw, AT_14_05.now_us)
    assert isinstance(parsed, Request)
    assert (parsed.user_id, parsed.cost.reported, parsed.usage.prompt) == ("ann", Usd.of("0.0021"), 9)
