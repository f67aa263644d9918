"""A limit as it was typed: what goes into the file, and what is wrong with it where."""

from __future__ import annotations

import tomllib

import pytest

from spendtop.config.file_edit import with_table
from spendtop.config.limit_draft import LimitDraft, limit_line
from spendtop.domain.limits.limit import Each
from spendtop.domain.money import Usd
from spendtop.sources.settings import SECTIONS

FILE = """\
# mine
[[limit]]
name = "daily"  # since May
window = "day"
usd = 100

# Where to.
[[channel]]
name = "ops"
url = "json://localhost/"
"""


def draft(**texts: str) -> LimitDraft:
    return LimitDraft({"name": "each user", "window": "7d", "usd": "$1,050.5", **texts})


def test_it_goes_behind_the_other_limits_and_all_else_stays() -> None:
    edited = draft(each="user", where="-model:o3", warn="50%, 0.8", notify="ops").added_to(FILE)
    assert edited is not None
    assert edited.startswith(FILE.partition("\n# Where")[0])
    assert edited.endswith("\n# Where to.\n" + FILE.partition("# Where to.\n")[2])
    assert tomllib.loads(edited)["limit"][1] == {
        "name": "each user",
        "window": "7d",
        "usd": 1050.5,
        "each": "user",
        "where": "-model:o3",
        "warn": [0.5, 0.8],
        "notify": ["ops"],
    }
    limit = draft(each="user", warn="none", notify="none").settings().limit()
    assert (limit.amount, limit.each, limit.warn, limit.notify) == (Usd.of("1050.5"), Each.USER, (), ())


@pytest.mark.parametrize(
    ("before", "place"),
    [
        ("", ""),
        ("[server]\nport = 1", "[server]\nport = 1\n\n"),
        ("[[limit]]\r\nname = 'a'\r\n", "[[limit]]\r\nname = 'a'\r\n\r\n"),
        ("[[limit]]\nwarn = [\n  0.5,\n  0.8,\n]\n[ui]\n", "[[limit]]\nwarn = [\n  0.5,\n  0.8,\n]\n[ui]\n\n"),
    ],
)
def test_a_table_more_keeps_what_is_there(before: str, place: str) -> None:
    edited = with_table(before, "limit", {"name": "b"})
    end = "\r\n" if "\r\n" in before else "\n"
    assert edited == f'{place}[[limit]]{end}name = "b"{end}'


def test_a_list_in_one_line_is_not_edited() -> None:
    assert with_table("limit = [{ name = 'a' }]\n", "limit", {"name": "b"}) is None


def test_every_wrong_value_is_named_at_its_field() -> None:
    wrong = LimitDraft(
        {
            "name": "daily",
            "window": "fortnight",
            "usd": "lots",
            "each": "usr",
            "where": "colour:red",
            "warn": "150%",
            "notify": "opps",
        }
    )
    problems = wrong.problems(FILE, SECTIONS)
    assert {key: problems[key].partition(";")[0] for key in problems} == {
        "name": 'there is another limit "daily"',
        "window": "unknown window 'fortnight'",
        "usd": 'must be an amount such as 100, 10.50 or "$50", not text',
        "each": 'must be one of "user", "model", "token", "session", "model_family", "agent"',
        "where": "there is no field 'colour'",
        "warn": "must lie between 0 and 1 (both excluded), for example 0.8 for 80 %",
        "notify": 'unknown channel "opps"',
    }
    assert draft().problems(FILE, SECTIONS) == {}


def test_what_is_wrong_elsewhere_in_the_file_is_not_the_drafts() -> None:
    assert draft().problems(FILE.replace("usd = 100", "usd = 'no'"), SECTIONS) == {}


def test_the_line_of_a_limit_is_found_also_in_a_broken_file() -> None:
    assert limit_line(FILE, "daily") == 2
    assert limit_line(FILE, "weekly") is None
    assert limit_line(FILE + "usd =\n", "daily") == 3
