from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import FALLBACK, Hook, Pricer, Terms, is_failed, is_trusted
from spendtop.domain.requests.request import Basis, Cost, Reporter, Request, ServiceLevel, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE

IN_AND_OUT = Usage(prompt=1_000, completion=100)
NOTHING = Usage(prompt=0, completion=0)


def dollars(text: str) -> Rate:
    """A rate in dollars per million tokens."""
    return Rate.per_million(Decimal(text))


OWN = Price.of(
    {"input_tokens": dollars("0.20"), "output_tokens": dollars("0.80"), "cache_read_tokens": dollars("0.02")}
)
PUBLISHED = Price.of({"input_tokens": dollars("3"), "output_tokens": dollars("15")}, version="list 1")


def request(reported: int | None = None, **fields: Any) -> Request:
    values: dict[str, Any] = {
        "source": HELICONE,
        "external_id": "id",
        "received_at": 5,
        "occurred_at": 5,
        "time_source": TimeSource.RECEIVED,
        "model": "gpt-4o",
        "provider": "openai",
        "usage": IN_AND_OUT,
        "cost": Cost(reported=None if reported is None else Usd(reported)),
    }
    return Request(**{**values, **fields})


def catalogue(provider: str | None, model: str, terms: Terms, at: int) -> Price | None:
    return PUBLISHED if (provider, model, at) in {("openai", "gpt-4o", 5), (None, "gpt-4o", 5)} else None


def pricer(hook: Hook | None = None) -> Pricer:
    return Pricer({"ACME-private-7b": OWN}, hook, catalogue)


def priced(one: Request, hook: Hook | None = None) -> tuple[int | None, str, str | None]:
    cost = pricer(hook).cost(one)
    return (None if cost.amount is None else cost.amount.nano, cost.basis.value, cost.price_version)


@pytest.mark.parametrize(
    ("reported", "usage", "status", "cached", "trusted"),
    [
        (1, Usage(), Status.OK, False, True),
        (1, NOTHING, Status.ERROR, False, True),
        (-1, IN_AND_OUT, Status.OK, False, False),
        (-1, IN_AND_OUT, Status.OK, True, False),
        (0, IN_AND_OUT, Status.OK, False, False),
        (0, IN_AND_OUT, Status.ERROR, False, False),
        (0, IN_AND_OUT, Status.OK, True, True),
        (0, Usage(), Status.OK, False, False),
        (0, NOTHING, Status.OK, False, False),
        (0, NOTHING, Status.CANCELLED, False, False),
        (0, NOTHING, Status.ERROR, False, True),
        (0, Usage(), Status.ERROR, False, True),
        (0, Usage(), Status.OK, True, True),
        (10**15, IN_AND_OUT, Status.OK, False, True),
        (10**15 + 1, IN_AND_OUT, Status.OK, False, False),
    ],
)
def test_a_reported_cost_is_trusted_when(
    reported: int, usage: Usage, status: Status, cached: bool, trusted: bool
) -> None:
    assert is_trusted(Usd(reported), request(usage=usage, status=status, cached=cached)) is trusted


def test_a_trusted_report_wins_and_the_computed_cost_stands_beside_it() -> None:
    cost = pricer().cost(request(7))
    assert cost == Cost(amount=Usd(7), basis=Basis.REPORTED, reported=Usd(7), computed=Usd(4_500_000))


def test_an_untrusted_report_gives_way_to_the_computed_cost_and_is_kept() -> None:
    cost = pricer().cost(request(-12_500))
    assert (cost.amount, cost.basis, cost.reported) == (Usd(4_500_000), Basis.COMPUTED, Usd(-12_500))


def test_own_prices_come_before_the_hook_and_the_hook_before_the_list() -> None:
    assert priced(request(model="acme-PRIVATE-7b"), says_nine) == (280_000, "computed", "own")
    assert priced(request(), says_nine) == (9, "computed", "hook")
    assert priced(request(), says_nothing) == (4_500_000, "computed", "list 1")
    assert priced(request()) == (4_500_000, "computed", "list 1")


def test_a_hook_that_decides_on_unknown_leaves_it_unknown() -> None:
    assert priced(request(), lambda one: (None, True)) == (None, "unknown", None)


def test_a_hook_may_price_what_has_no_model_and_no_tokens() -> None:
    assert priced(request(model=None, usage=Usage()), lambda one: (Usd(5), True)) == (5, "computed", "hook")


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "totally-unknown-model-9"},
        {"model": None},
        {"usage": Usage()},
        {"usage": Usage(prompt=10)},
        {"usage": Usage(completion=10)},
        {"usage": NOTHING},
        {"provider": "nosuch"},
        {"occurred_at": 6},
    ],
)
def test_what_cannot_be_computed_is_unknown_and_never_nothing(fields: dict[str, Any]) -> None:
    assert priced(request(None, **fields)) == (None, "unknown", None)
    assert priced(request(0, **fields)) == (None, "unknown", None)


def test_an_error_that_used_nothing_costs_nothing() -> None:
    assert priced(request(None, usage=NOTHING, status=Status.ERROR)) == (0, "computed", None)
    assert priced(request(0, usage=NOTHING, status=Status.ERROR)) == (0, "reported", None)


@pytest.mark.parametrize("reported", [None, 0, 5, -5])
def test_a_hit_in_the_gateways_cache_costs_nothing(reported: int | None) -> None:
    cost = pricer().cost(request(reported, cached=True))
    assert (cost.amount, cost.basis, cost.computed) == (Usd(0), Basis.REPORTED, Usd(4_500_000))


def test_a_limits_ceiling_is_the_own_or_the_published_price() -> None:
    assert pricer().ceiling("Acme-Private-7B", 5) is OWN
    assert pricer().ceiling("gpt-4o", 5) is PUBLISHED
    assert pricer().ceiling("nosuch", 5) is None


SEVEN = Usd(7_000_000)
FOR_ALL = {FALLBACK: Price.of({"input_tokens": dollars("1"), "output_tokens": dollars("0")})}


def says_nine(one: Request) -> tuple[Usd | None, bool]:
    return Usd(9), True


def says_nothing(one: Request) -> tuple[Usd | None, bool]:
    return None, False


def fails(one: Request) -> tuple[Usd | None, bool]:
    return None, True


def said(nano: int | None, by: Reporter | None = Reporter.GATEWAY) -> Cost:
    return Cost(reported=None if nano is None else Usd(nano), reported_by=by)


@pytest.mark.parametrize("reporter", [None, *Reporter])
@pytest.mark.parametrize("model", ["gpt-4o", "ACME-private-7b", "unheard-of", None])
def test_whoever_says_a_cost_is_believed_before_all_that_is_computed(
    reporter: Reporter | None, model: str | None
) -> None:
    cost = Pricer({"ACME-private-7b": OWN, **FOR_ALL}, says_nine, catalogue).cost(
        request(model=model, cost=said(SEVEN.nano, reporter))
    )
    assert (cost.amount, cost.basis, cost.reported_by) == (SEVEN, Basis.REPORTED, reporter)
    assert (cost.price_version, cost.level_assumed, cost.unpriced_units) == (None, False, None)


@pytest.mark.parametrize(
    ("reporter", "amount", "basis"),
    [
        (Reporter.PROVIDER, 0, Basis.REPORTED),
        (Reporter.GATEWAY, 4_500_000, Basis.COMPUTED),
        (Reporter.INSTRUMENTATION, 4_500_000, Basis.COMPUTED),
        (Reporter.CLIENT, 4_500_000, Basis.COMPUTED),
        (None, 4_500_000, Basis.COMPUTED),
    ],
)
def test_nothing_is_a_price_where_the_provider_itself_says_so(
    reporter: Reporter | None, amount: int, basis: Basis
) -> None:
    cost = pricer().cost(request(cost=said(0, reporter)))
    assert (cost.amount, cost.basis, cost.reported, cost.reported_by) == (Usd(amount), basis, Usd(0), reporter)


@pytest.mark.parametrize(
    ("one", "over", "hook", "cost"),
    [
        # A hit of the gateway's cache, then the rule that is asked first, then who reports.
        (request(5, cached=True), says_nine, None, (0, "reported", None)),
        (request(5), says_nine, None, (9, "computed", "hook")),
        (request(5, model="acme-private-7b"), says_nine, None, (9, "computed", "hook")),
        (request(None), says_nine, None, (9, "computed", "hook")),
        (request(5), says_nothing, None, (5, "reported", None)),
        (request(None), says_nothing, None, (4_500_000, "computed", "list 1")),
        (request(5), fails, None, (None, "unknown", None)),
        # Own prices, then the rule, then the list, then the price of all others.
        (request(None, model="acme-private-7b"), None, says_nine, (280_000, "computed", "own")),
        (request(None, model="mine", served_model="acme-private-7B"), None, says_nine, (280_000, "computed", "own")),
        (request(None), None, says_nine, (9, "computed", "hook")),
        (request(None), None, fails, (None, "unknown", None)),
        (request(None), None, says_nothing, (4_500_000, "computed", "list 1")),
        (request(None, model="deployment", served_model="gpt-4o"), None, None, (4_500_000, "computed", "list 1")),
        (request(None, model=None, served_model="gpt-4o"), None, None, (4_500_000, "computed", "list 1")),
        (request(None, model="unheard-of"), None, says_nine, (9, "computed", "hook")),
        (request(None, model="unheard-of"), None, says_nothing, (1_000_000, "computed", "own")),
        (request(None, model=None), None, None, (1_000_000, "computed", "own")),
        (request(None, model=FALLBACK), None, None, (1_000_000, "computed", "own")),
        # A price that is known, and quantities that are not, are no case for another price.
        (request(None, usage=Usage(prompt=5)), None, None, (None, "unknown", None)),
        (request(None, model="unheard-of", usage=Usage(prompt=5)), None, None, (None, "unknown", None)),
    ],
)  # fmt: skip
@pytest.mark.replaces("monitor/cost-rule")
def test_who_is_asked_first(
    one: Request, over: Hook | None, hook: Hook | None, cost: tuple[int | None, str, str | None]
) -> None:
    own = {"ACME-private-7b": OWN, **FOR_ALL}
    got = Pricer(own, hook, catalogue, hook_over=over).cost(one)
    assert (Usd.nano_of(got.amount), got.basis.value, got.price_version) == cost
    assert got.reported == one.cost.reported


@pytest.mark.parametrize(
    ("fields", "cost"),
    [
        ({"usage": Usage()}, (40_000_000, "computed", "own")),
        ({"usage": NOTHING}, (40_000_000, "computed", "own")),
        ({"usage": Usage(), "status": Status.CANCELLED}, (9, "computed", "hook")),
        ({"usage": Usage(), "status": Status.ERROR}, (9, "computed", "hook")),
        ({"usage": IN_AND_OUT, "status": Status.ERROR}, (40_000_000, "computed", "own")),
    ],
)
def test_what_costs_the_same_whatever_it_used_has_a_price_without_usage(
    fields: dict[str, Any], cost: tuple[int | None, str, str | None]
) -> None:
    flat = {"gpt-4o": Price.of({"requests": Rate.of(Decimal("0.04"), 1)})}
    got = Pricer(flat, says_nine, catalogue).cost(request(None, **fields))
    assert (Usd.nano_of(got.amount), got.basis.value, got.price_version) == cost


def test_a_rule_that_is_asked_first_is_asked_once() -> None:
    asked: list[Request] = []

    def rule(one: Request) -> tuple[Usd | None, bool]:
        asked.append(one)
        return None, False

    one = request(None)
    Pricer({}, None, catalogue, hook_over=rule).cost(one)
    assert asked == [one]


def test_a_partial_cost_says_what_it_is_without() -> None:
    usage = Usage(prompt=1_000, completion=100, units={"web_searches": 2})
    cost = pricer().cost(request(None, usage=usage))
    assert (cost.amount, cost.computed, cost.basis) == (Usd(4_500_000), Usd(4_500_000), Basis.COMPUTED)
    assert cost.partial
    assert cost.unpriced_units == {"web_searches": 2}


def test_a_cost_of_which_nothing_has_a_price_is_unknown_and_not_partial() -> None:
    cost = pricer().cost(request(None, usage=Usage(units={"rerank_searches": 2})))
    assert cost == Cost()
    assert not cost.partial


@pytest.mark.parametrize("level", [None, *ServiceLevel])
def test_an_own_price_holds_for_every_level_which_is_then_assumed(level: ServiceLevel | None) -> None:
    cost = pricer().cost(request(None, model="acme-private-7b", service_level=level))
    assert cost.amount == Usd(280_000)
    assert cost.level_assumed is (level not in (None, ServiceLevel.STANDARD))


def test_a_level_that_was_assumed_is_said_of_what_was_computed() -> None:
    assumed = msgspec.structs.replace(PUBLISHED, level_assumed=True)
    asked: list[Terms] = []

    def assuming(provider: str | None, model: str, terms: Terms, at: int) -> Price:
        asked.append(terms)
        return assumed

    one = request(None, service_level=ServiceLevel.FLEX, inference_geo="us")
    assert Pricer({}, None, assuming).cost(one).level_assumed
    assert not Pricer({}, None, assuming).cost(msgspec.structs.replace(one, cost=said(5))).level_assumed
    assert asked == [Terms(ServiceLevel.FLEX, "us")] * 2


PART = Usage(prompt=1_000, completion=100, units={"web_searches": 1})


@pytest.mark.parametrize(
    ("reported", "fields", "doubtful"),
    [
        # Computed are 4.5 cents: 3 times as much is 13.5.
        (45_000_000, {}, False),
        (135_000_000, {}, False),
        (135_000_001, {}, True),
        (15_000_000, {}, False),
        (14_999_999, {}, True),
        (0, {"cost": said(0, Reporter.PROVIDER)}, True),
        # Less than a cent apart.
        (1_000_000, {"usage": Usage(prompt=1_000, completion=0)}, False),
        (13_000_000, {"usage": Usage(prompt=1_000, completion=0)}, False),
        (13_000_001, {"usage": Usage(prompt=1_000, completion=0)}, True),
        # Only what a list says, of everything, makes a figure doubtful.
        (1_000_000_000, {"usage": PART}, False),
        (1_000_000_000, {"model": "unheard-of"}, False),
        (1_000_000_000, {"model": "acme-private-7b"}, False),
        (1_000_000_000, {"cached": True}, False),
        (1_000_000_000, {"usage": Usage(prompt=5)}, False),
        (-1_000_000_000, {}, False),
        (None, {}, False),
    ],
)
def test_a_reported_cost_far_from_the_lists_is_doubtful(
    reported: int | None, fields: dict[str, Any], doubtful: bool
) -> None:
    usage = Usage(prompt=10_000, completion=1_000)
    cost = Pricer({"ACME-private-7b": OWN, **FOR_ALL}, None, catalogue).cost(
        request(**{"reported": reported, "usage": usage, **fields})
    )
    assert cost.doubtful is doubtful
    if doubtful:
        assert (cost.amount, cost.basis) == (Usd(reported or 0), Basis.REPORTED)


@pytest.mark.parametrize("usage", [Usage(), NOTHING, Usage(prompt=0), Usage(completion=0)])
@pytest.mark.parametrize("reported", [None, 0, -5])
@pytest.mark.parametrize("model", ["gpt-4o", "acme-private-7b", "unheard-of", None])
def test_a_call_that_failed_before_anything_was_used_costs_nothing(
    usage: Usage, reported: int | None, model: str | None
) -> None:
    own = {"ACME-private-7b": OWN, **FOR_ALL}
    failed = request(reported, usage=usage, status=Status.ERROR, model=model)
    for one, is_free in (
        (failed, True),
        (msgspec.structs.replace(failed, status=Status.CANCELLED), False),
        (msgspec.structs.replace(failed, status=Status.OK), False),
    ):
        cost = Pricer(own, says_nothing, catalogue).cost(one)
        assert cost.amount == (Usd(0) if is_free else None)
        assert is_failed(msgspec.structs.replace(one, cost=cost)) is is_free
        if reported != 0:
            assert cost.basis is (Basis.COMPUTED if is_free else Basis.UNKNOWN)


@pytest.mark.parametrize(
    ("fields", "cost"),
    [
        ({"usage": IN_AND_OUT}, Usd(4_500_000)),
        ({"usage": IN_AND_OUT, "model": "unheard-of"}, None),
        ({"usage": Usage(units={"web_searches": 1})}, None),
        ({"reported": 5, "usage": NOTHING}, Usd(5)),
    ],
)
def test_a_failed_call_that_used_something_is_billed(fields: dict[str, Any], cost: Usd | None) -> None:
    one = request(**{"reported": None, "status": Status.ERROR, **fields})
    priced_one = msgspec.structs.replace(one, cost=pricer().cost(one))
    assert priced_one.cost.amount == cost
    assert not is_failed(priced_one)


@pytest.mark.parametrize(("usage", "computed"), [(NOTHING, Usd(0)), (Usage(), None)])
def test_of_a_failed_call_that_somebody_billed_nothing_is_computed_but_what_was_counted(
    usage: Usage, computed: Usd | None
) -> None:
    cost = pricer().cost(request(5, usage=usage, status=Status.ERROR))
    assert cost == Cost(amount=Usd(5), basis=Basis.REPORTED, reported=Usd(5), computed=computed)


def test_a_users_rule_may_bill_a_failed_call() -> None:
    failed = request(None, usage=NOTHING, status=Status.ERROR)
    assert priced(failed, says_nine) == (9, "computed", "hook")
    assert priced(failed, fails) == (None, "unknown", None)


def test_a_ceiling_is_the_price_of_all_others_last() -> None:
    own = Pricer({"ACME-private-7b": OWN, **FOR_ALL}, None, catalogue)
    assert own.ceiling("acme-private-7b", 5) is OWN
    assert own.ceiling("gpt-4o", 5) is PUBLISHED
    assert own.ceiling("nosuch", 5) is FOR_ALL[FALLBACK]
