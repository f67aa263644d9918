"""The ledger's rules, by worked examples to the last digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.ledger.balance import (
    DOUBT_LASTS,
    SETTLES_AFTER,
    Calibration,
    DayCost,
    Drift,
    Entry,
    EntryKind,
    LowBalance,
    PolledDay,
    balance,
    runs_out_at,
    settled_spend,
    take_poll,
    watch,
)
from spendtop.domain.money import ZERO, Usd

AT = 14 * HOUR
TODAY, OLD = 20_000, 19_990
NOON = TODAY * DAY + 12 * HOUR
NOTHING = PolledDay(ZERO, named=False, complete=False)
SHRUNK = PolledDay(Usd.of(1), named=True, complete=False)


def usd(text: str) -> Usd:
    return Usd.of(text)


def calibrated(
    observed: str, spent: str, predicted: str = "0", settled: str | None = None, at: int = AT
) -> Calibration:
    return Calibration(
        at=at,
        observed=usd(observed),
        predicted=usd(predicted),
        spent=usd(spent),
        settled=None if settled is None else usd(settled),
    )


def told(amount: str) -> PolledDay:
    """A day of which the answer has everything that is known."""
    return PolledDay(usd(amount), named=True, complete=True)


def moved(amount: str, effective_at: int, kind: EntryKind = EntryKind.DEPOSIT) -> Entry:
    return Entry(kind=kind, effective_at=effective_at, amount=usd(amount))


@pytest.mark.parametrize(("spent", "left"), [("4.20", "25.00"), ("5.05", "24.15"), ("6.15", "23.05")])
def test_the_part_of_the_day_before_a_calibration_cancels(spent: str, left: str) -> None:
    anchor = calibrated("25.00", "4.20")
    assert anchor.credit == usd("29.20")
    assert balance(anchor, [], usd(spent)) == usd(left)


def test_restated_days_flow_through() -> None:
    anchor = calibrated("60.00", "40")
    assert anchor.credit == usd("100.00")
    days = [usd(each) for each in ("10", "20.75", "13.50")]
    assert sum(days, ZERO) == usd("44.25")
    assert balance(anchor, [], sum(days, ZERO)) == usd("55.75")


def test_a_second_calibration_measures_the_drift() -> None:
    first = calibrated("62.345678", "0")
    predicted = balance(first, [], usd("31.987654"))
    assert predicted == usd("30.358024")
    second = calibrated("29.91", "31.987654", predicted="30.358024")
    assert second.drift == usd("-0.448024")
    assert second.credit == usd("61.897654")


def test_the_first_calibration_is_measured_against_the_deposits() -> None:
    spent = usd("37.654321")
    predicted = balance(None, [moved("100", 0)], spent)
    assert predicted == usd("62.345679")
    anchor = Calibration(at=AT, observed=usd("57.35"), predicted=predicted, spent=spent)
    assert (anchor.drift, anchor.credit) == (usd("-4.995679"), usd("95.004321"))


@pytest.mark.parametrize(
    ("settled", "left", "later"), [(None, "58.40", "56.20"), ("40.80", "59.20", "57.00")], ids=["same lag", "settled"]
)
def test_costs_that_came_late_are_deducted_twice_until_settled(settled: str | None, left: str, later: str) -> None:
    anchor = calibrated("59.20", "40.00", settled=settled)
    assert balance(anchor, [], usd("40.80")) == usd(left)
    assert balance(anchor, [], usd("43.00")) == usd(later)


def test_only_what_took_effect_after_a_calibration_is_added() -> None:
    anchor = calibrated("100.00", "0")
    before = moved("25", AT - 1)
    assert balance(anchor, [before, moved("25", AT)], usd("92.10")) == usd("7.90")
    assert balance(anchor, [before, moved("25", AT + 1)], usd("92.10")) == usd("32.90")


def test_an_expiry_takes_away() -> None:
    anchor = calibrated("30.00", "0")
    assert balance(anchor, [], usd("3.75")) == usd("26.25")
    assert balance(anchor, [moved("-1.25", AT + 1, EntryKind.EXPIRY)], usd("3.75")) == usd("25.00")


def test_a_low_balance_fires_once_and_again_only_from_110_per_cent_on() -> None:
    state, fired = LowBalance(), []
    for left in ("10.40", "10.00", "9.99", "9.70", "10.20", "10.99", "11.00", "9.50", "34.50", "9.99"):
        state, fires = watch(state, usd(left), usd("10"))
        fired.append(fires)
    assert fired == [False, False, True, False, False, False, False, True, False, True]


def test_settling_takes_the_share_of_the_day_that_had_been_used() -> None:
    settled = settled_spend(usd("30.00"), usd("2.52"), usd("1.44"), usd("2.40"))
    assert settled == usd("31.512")
    anchor = calibrated("41.00", "31.00", settled="31.512")
    assert anchor.credit == usd("72.512")
    assert balance(anchor, [], usd("32.52")) == usd("39.992")
    assert balance(calibrated("41.00", "31.00"), [], usd("32.52")) == usd("39.48")


def test_a_day_without_usage_settles_nothing() -> None:
    assert settled_spend(usd("30"), usd("1"), ZERO, ZERO) is None


def test_a_balance_may_be_negative() -> None:
    left = balance(calibrated("5.00", "0"), [], usd("5.37"))
    assert left == usd("-0.37")
    assert watch(LowBalance(), left, usd("10")) == (LowBalance(False), True)


def test_days_are_replaced_never_added_to() -> None:
    known = {1: DayCost(usd("10")), 2: DayCost(usd("20"))}
    after = take_poll(known, {2: told("20.75"), 3: told("1")}, NOON)
    assert after == {2: DayCost(usd("20.75")), 3: DayCost(usd("1"))}
    assert take_poll({2: DayCost(usd("20.75"))}, {2: told("20.75")}, NOON) == {2: DayCost(usd("20.75"))}


@pytest.mark.parametrize("amount", ["2", "0"])
def test_an_amount_that_is_told_replaces_a_larger_one_however_old(amount: str) -> None:
    assert take_poll({OLD: DayCost(usd("3"))}, {OLD: told(amount)}, NOON) == {OLD: DayCost(usd(amount))}


@pytest.mark.parametrize("lacking", [NOTHING, SHRUNK], ids=["nothing", "a part"])
@pytest.mark.parametrize("day", [TODAY, OLD], ids=["today", "settled"])
def test_a_day_that_falls_by_an_absence_stands_in_doubt(lacking: PolledDay, day: int) -> None:
    doubted = {day: DayCost(usd("3"), NOON)}
    assert take_poll({day: DayCost(usd("3"))}, {day: lacking}, NOON) == doubted
    assert take_poll(doubted, {day: lacking}, NOON + DOUBT_LASTS - 1) == doubted
    assert take_poll(doubted, {day: told("3")}, NOON + HOUR) == {day: DayCost(usd("3"))}


@pytest.mark.parametrize(
    ("day", "lacking", "left"),
    [(TODAY, NOTHING, "0"), (TODAY, SHRUNK, "1"), (OLD, SHRUNK, "1"), (OLD, NOTHING, "3")],
    ids=["open day", "part of an open day", "part of a settled day", "settled day"],
)
def test_an_absence_that_lasts_is_believed_but_for_a_settled_day_of_which_nothing_is_said(
    day: int, lacking: PolledDay, left: str
) -> None:
    doubted = {day: DayCost(usd("3"), NOON)}
    assert take_poll(doubted, {day: lacking}, NOON + DOUBT_LASTS)[day].cost == usd(left)


def test_parts_under_other_names_that_make_up_as_much_are_believed_at_once() -> None:
    renamed = PolledDay(usd("3"), named=True, complete=False)
    assert take_poll({OLD: DayCost(usd("3"))}, {OLD: renamed}, NOON) == {OLD: DayCost(usd("3"))}


_POLLS = st.lists(
    st.tuples(
        st.integers(1, 30),
        st.fixed_dictionaries(
            {}, optional={day: st.sampled_from(["whole", "part", "zero", "nothing"]) for day in range(OLD, TODAY + 1)}
        ),
    ),
    max_size=25,
)
"""Hours since the poll before, and what each polled day's answer is."""


@given(_POLLS)
def test_whatever_is_answered_only_what_is_told_or_absent_for_long_changes_a_day(
    polls: list[tuple[int, dict[int, str]]],
) -> None:
    answers = {"whole": told("3"), "part": SHRUNK, "zero": told("0"), "nothing": NOTHING}
    days = {day: DayCost(usd("3")) for day in range(OLD, TODAY + 1)}
    lacked_since: dict[int, int] = {}
    now = NOON
    for hours, answer in polls:
        now += hours * HOUR
        before = dict(days)
        days |= take_poll(before, {day: answers[kind] for day, kind in answer.items()}, now)
        for day, kind in answer.items():
            if kind in ("whole", "zero"):
                assert days[day] == DayCost(answers[kind].cost)
                lacked_since.pop(day, None)
                continue
            began = lacked_since.setdefault(day, now)
            settled = now - (day + 1) * DAY > SETTLES_AFTER
            if days[day].cost < before[day].cost:
                assert now - began >= DOUBT_LASTS
                assert kind == "part" or not settled
            if days[day].doubted_since is None:
                lacked_since.pop(day, None)
    whole = take_poll(days, dict.fromkeys(days, told("3")), now)
    assert set(whole.values()) == {DayCost(usd("3"))}


def test_the_end_is_foreseen_from_what_was_billed() -> None:
    assert runs_out_at(usd("30"), usd("10"), 2 * DAY, now=0) == 6 * DAY
    assert runs_out_at(usd("30"), ZERO, DAY, now=0) is None
    assert runs_out_at(usd("-1"), usd("1"), DAY, now=7) == 7


def test_what_lasts_longer_than_a_century_has_no_end_in_sight() -> None:
    assert runs_out_at(usd("36500"), usd("1"), DAY, now=DAY) == 36_501 * DAY
    assert runs_out_at(usd("36500.01"), usd("1"), DAY, now=DAY) is None


@pytest.mark.parametrize(
    ("predicted", "observed", "is_large", "suggests_deposit"),
    [
        ("100", "100", False, False),
        ("100", "100.99", False, False),
        ("100", "99", True, False),
        ("10", "10.19", False, False),
        ("10", "9.80", True, False),
        ("100", "104.999999999", True, False),
        ("100", "105", True, True),
        ("100", "90", True, False),
        ("0", "0", False, False),
        ("0", "0.000000001", True, False),
        ("-2", "-1.96", True, False),
    ],
)
def test_a_drift_of_a_dollar_or_two_per_cent_is_large_and_one_of_five_suggests_a_deposit(
    predicted: str, observed: str, is_large: bool, suggests_deposit: bool
) -> None:
    drift = Drift(usd(predicted), usd(observed))
    assert (drift.is_large, drift.suggests_deposit) == (is_large, suggests_deposit)
