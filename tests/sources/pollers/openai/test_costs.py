"""OpenAI's bills as read from a server that behaves, and misbehaves, as OpenAI's does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

import pytest

from spendtop.domain.clock import SECOND
from spendtop.domain.ledger.amounts import total
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Usage
from spendtop.sources.pollers import CostPart, Costs, KeyRefused, PollFailed
from spendtop.sources.pollers.openai.costs import MinuteOfUse, OpenAICosts
from tests.sources.pollers.fake_openai import ADMIN_KEY, DAY, FIRST_DAY, Cost, FakeOpenAI, Used, a_month
from tests.sources.pollers.fake_provider import (
    Answer,
    Fault,
    answer,
    bad_key,
    edited,
    error_in_200,
    failed,
    no_scopes,
    slow_down,
    truncated,
    web_page,
)
from tests.sources.pollers.polled import ONCE

LAST_DAY = FIRST_DAY + 29


async def poll(fake: FakeOpenAI, first_day: int = FIRST_DAY, last_day: int = LAST_DAY, key: str = ADMIN_KEY) -> Costs:
    return await OpenAICosts(key, fake.url, bounds=ONCE).costs(first_day, last_day)


def days(costs: Costs) -> dict[int, Usd]:
    """Sums per day, counted from the first."""
    amounts: defaultdict[int, list[Decimal]] = defaultdict(list)
    for part in costs.parts:
        amounts[part.day - costs.first_day].append(part.amount)
    return {day: total(each) for day, each in sorted(amounts.items())}


async def billed(costs: Iterable[Cost]) -> Costs:
    with FakeOpenAI(costs) as fake:
        return await poll(fake)


@pytest.mark.replaces("credit/costs")
async def test_a_month_to_the_last_digit_and_split_as_far_as_openai_splits() -> None:
    with FakeOpenAI(a_month()) as fake:
        costs = await poll(fake)
        assert total(part.amount for part in costs.parts) == total([fake.spent()])
    assert (costs.first_day, costs.last_day) == (FIRST_DAY, LAST_DAY)
    assert not costs.flaws and not costs.other_currencies
    assert costs.parts[0] == CostPart(
        day=FIRST_DAY,
        amount=Decimal("0.0036275"),
        project="proj_web",
        api_key="key_web",
        line_item="gpt-4o-mini-2024-07-18, input",
    )
    assert days(costs).get(13) is None  # an empty bucket is a day without parts
    (asked,) = fake.asked
    assert asked.query == {
        "start_time": [str(FIRST_DAY * DAY)],
        "end_time": [str((LAST_DAY + 1) * DAY)],
        "bucket_width": ["1d"],
        "limit": ["180"],
        "group_by": ["project_id", "line_item", "api_key_id"],
    }


async def test_one_day_ends_at_the_next_midnight() -> None:
    with FakeOpenAI([Cost(day=FIRST_DAY, amount="0.06")]) as fake:
        assert days(await poll(fake, FIRST_DAY, FIRST_DAY)) == {0: Usd.of("0.06")}


async def test_amounts_in_all_spellings_are_exact() -> None:
    spelled = ['"0E-6176"', '"0.003627500000000000000000000000000000"', "0.06", '"1E-7"', "0.1", "0.2"]
    costs = await billed(Cost(day=FIRST_DAY, amount=each, line_item=each[:9]) for each in spelled)
    assert total(part.amount for part in costs.parts) == Usd.of("0.3636276")
    assert costs.parts[0].amount.as_tuple().exponent == 0
    assert days(await billed([Cost(day=FIRST_DAY, amount='"-2.5"')])) == {0: Usd.of("-2.5")}


@pytest.mark.parametrize("amount", ['"NaN"', '"Infinity"', '"abc"', "true", "1e400", "[]"])
async def test_what_is_no_amount_fails_the_whole_poll(amount: str) -> None:
    with pytest.raises(PollFailed, match="sent something as an amount that is none; nothing of this poll is kept"):
        await billed([Cost(day=FIRST_DAY, amount="1"), Cost(day=FIRST_DAY + 1, amount=amount)])


async def test_a_missing_amount_counts_as_nothing_and_is_told() -> None:
    costs = await billed([Cost(day=FIRST_DAY, amount=each, line_item=str(each)) for each in (None, "null", "2")])
    assert days(costs) == {0: Usd.of(2)}
    assert costs.flaws == ("2 of OpenAI's amounts had no amount and count as nothing.",)


async def test_a_missing_currency_counts_and_is_told() -> None:
    costs = await billed([Cost(day=FIRST_DAY, amount="2", currency=None)])
    assert (days(costs), costs.other_currencies) == ({0: Usd.of(2)}, frozenset())
    assert costs.flaws == ("1 of OpenAI's amounts had no currency and are taken as US dollars.",)


async def test_other_currencies_are_named_and_never_added() -> None:
    costs = await billed(
        [Cost(day=FIRST_DAY, amount="2", currency="USD"), Cost(day=FIRST_DAY, amount="9", currency="eur")]
    )
    assert (days(costs), costs.other_currencies) == ({0: Usd.of(2)}, frozenset({"EUR"}))


async def test_grouping_and_pages() -> None:
    with FakeOpenAI(
        [
            Cost(day=FIRST_DAY, amount="1.10", line_item="a"),
            Cost(day=FIRST_DAY, amount='"0.40"', line_item="b"),
            Cost(day=FIRST_DAY + 1, amount="2.00", line_item="a"),
            Cost(day=FIRST_DAY + 1, amount="0.05", line_item="b"),
            Cost(day=FIRST_DAY + 2, amount=None),
        ]
    ) as fake:
        fake.days_per_page = 1
        first = await poll(fake, last_day=FIRST_DAY + 2)
        assert days(first) == {0: Usd.of("1.50"), 1: Usd.of("2.05")}
        assert await poll(fake, last_day=FIRST_DAY + 2) == first
        assert len(fake.asked) == 6
        fake.script(None, failed(500))
        with pytest.raises(PollFailed, match=r"\(500\)"):
            await poll(fake, last_day=FIRST_DAY + 2)


async def test_a_restated_day_is_read_as_it_is_now() -> None:
    with FakeOpenAI([Cost(day=FIRST_DAY, amount="10")]) as fake:
        for amount in ("10", '"12.25"', "11"):
            fake.restate(FIRST_DAY, amount)
            assert days(await poll(fake)) == {0: Usd.of(amount.strip('"'))}


async def test_an_organization_whose_costs_are_not_split_by_key() -> None:
    with FakeOpenAI(a_month()) as fake:
        fake.splits_by_key = False
        costs = await poll(fake)
        assert total(part.amount for part in costs.parts) == total([fake.spent()])
    assert {part.api_key for part in costs.parts} == {""}
    assert {part.project for part in costs.parts} == {"proj_web", "proj_batch"}
    assert costs.flaws == ("OpenAI does not split this organization's costs by API key.",)
    assert [asked.query["group_by"] for asked in fake.asked] == [
        ["project_id", "line_item", "api_key_id"],
        ["project_id", "line_item"],
    ]


async def test_a_400_for_another_reason_is_told() -> None:
    with FakeOpenAI() as fake, pytest.raises(PollFailed, match=r"^OpenAI did not take the question \(400\)"):
        await poll(fake, FIRST_DAY, FIRST_DAY - 1)
    assert len(fake.asked) == 2


async def test_days_that_were_not_asked_for_are_left_out() -> None:
    with FakeOpenAI(a_month(FIRST_DAY - 1, 3)) as fake:
        wide: Answer | None = None

        def keep(good: Answer) -> Answer:
            nonlocal wide
            wide = good
            return good

        fake.script(keep, lambda good: wide or good)
        whole = await poll(fake, FIRST_DAY - 1, FIRST_DAY + 1)
        assert {part.day for part in whole.parts} == {FIRST_DAY - 1, FIRST_DAY, FIRST_DAY + 1}
        assert {part.day for part in (await poll(fake, FIRST_DAY, FIRST_DAY)).parts} == {FIRST_DAY}


async def test_a_bucket_that_is_no_utc_day_fails_the_poll() -> None:
    bucket = {"start_time": FIRST_DAY * DAY + 3600, "results": []}
    with FakeOpenAI() as fake:
        fake.script(edited(data=[bucket]))
        with pytest.raises(PollFailed, match="something else than a UTC day"):
            await poll(fake)


async def test_an_answer_without_any_day_is_no_month_without_spend() -> None:
    with FakeOpenAI() as fake:
        fake.script(edited(data=[]))
        with pytest.raises(PollFailed, match="none of the days"):
            await poll(fake)


@pytest.mark.parametrize(
    "fault",
    [truncated, web_page, error_in_200, slow_down(), edited(has_more="perhaps"), lambda good: answer([])],
)
async def test_no_spend_is_never_read_out_of_an_answer_that_is_none(fault: Fault) -> None:
    with FakeOpenAI(a_month()) as fake:
        fake.always = fault
        with pytest.raises(PollFailed) as caught:
            await poll(fake)
    assert "canary" not in str(caught.value)
    assert not isinstance(caught.value, KeyRefused)


async def test_buckets_without_results_are_no_answer() -> None:
    with FakeOpenAI() as fake:
        fake.script(edited(data=[{"start_time": FIRST_DAY * DAY}]))
        with pytest.raises(PollFailed, match="missing required field `results`"):
            await poll(fake)


CREATE = (
    "Create an admin key with the permission api.usage.read at "
    "platform.openai.com/settings/organization/admin-keys and set it as admin_key in [openai]."
)


@pytest.mark.parametrize(
    ("key", "fault", "sentence"),
    [
        (ADMIN_KEY, no_scopes, f"OpenAI refused the key (403). {CREATE}"),
        (ADMIN_KEY, failed(403, {"message": "canary"}), f"OpenAI refused the key (403). {CREATE}"),
        (
            ADMIN_KEY,
            bad_key,
            f"OpenAI refused the key (401). It may be mistyped or revoked: check admin_key in [openai]. {CREATE}",
        ),
        (
            "sk-proj-canary",
            None,
            "OpenAI refused the key (403). The key looks like a project key of OpenAI; one that begins with sk-admin- "
            f"is needed. {CREATE}",
        ),
        ("canary", None, f"OpenAI refused the key (401). The key does not begin with sk-admin-. {CREATE}"),
    ],
)
async def test_a_refused_key_says_which_key_is_needed(key: str, fault: Fault | None, sentence: str) -> None:
    with FakeOpenAI() as fake:
        fake.always = fault
        with pytest.raises(KeyRefused) as caught:
            await poll(fake, key=key)
    assert (str(caught.value), len(fake.asked)) == (sentence, 1)


async def test_tokens_per_minute_and_model_of_a_day() -> None:
    midnight = FIRST_DAY * DAY
    used = [
        Used(at=midnight, model="gpt-4o-mini", prompt=1000, completion=100, cached=400),
        Used(at=midnight, model="gpt-5", prompt=10, completion=1),
        Used(at=midnight + 86_340, model="gpt-5", prompt=7, completion=0),
        Used(at=midnight + DAY, model="gpt-5", prompt=99, completion=99),
    ]
    with FakeOpenAI(used=used) as fake:
        rows = await OpenAICosts(ADMIN_KEY, fake.url, bounds=ONCE).usage(FIRST_DAY)
    assert rows == (
        MinuteOfUse(
            at=midnight * SECOND, model="gpt-4o-mini", tokens=Usage(prompt=1000, completion=100, cache_read=400)
        ),
        MinuteOfUse(at=midnight * SECOND, model="gpt-5", tokens=Usage(prompt=10, completion=1, cache_read=0)),
        MinuteOfUse(at=(midnight + 86_340) * SECOND, model="gpt-5", tokens=Usage(prompt=7, completion=0, cache_read=0)),
    )
    (asked,) = fake.asked
    assert (asked.path, asked.one("limit")) == ("/v1/organization/usage/completions", "1440")
