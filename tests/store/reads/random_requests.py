"""Random requests around a few hours, and what a brute-force sum over them gives."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec import Struct

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request, Status, Usage
from spendtop.store.reads.rows import Spend
from tests.store.conftest import Recorded

START = 1_795_000_000_000_000 // HOUR * HOUR
SPAN = 4 * HOUR

MANY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


class Drawn(Struct, frozen=True):
    """The drawn part of a request."""

    occurred_at: int
    cost: int | None
    prompt: int | None
    status: Status
    user: str | None
    model: str | None
    session: str | None
    counted: bool

    def request(self, recorded: Recorded) -> Request:
        """With an id of its own."""
        return recorded.request(
            self.occurred_at,
            self.cost,
            usage=Usage(prompt=self.prompt, completion=7),
            status=self.status,
            user_id=self.user,
            model=self.model,
            session_id=self.session,
            provider="openai" if self.model else None,
            counted=self.counted,
        )


_BOUNDARIES = [START + hours * HOUR + minutes * MINUTE for hours in range(5) for minutes in (0, 1, 59)]
instants = st.one_of(
    st.integers(START, START + SPAN),
    st.builds(add, st.sampled_from(_BOUNDARIES), st.integers(-1, 1)),
)
drawn = st.builds(
    Drawn,
    instants,
    st.none() | st.integers(0, 10**13),
    st.none() | st.integers(0, 9_000),
    st.sampled_from(Status),
    st.sampled_from([None, "alice", "Alice", "bob", "jörg"]),
    st.sampled_from([None, "gpt-4o", "gpt-4o-2024-08-06", "openai/GPT-4o", "gpt-4o-mini"]),
    st.sampled_from([None, "s-1"]),
    st.sampled_from([True, True, True, False]),
)
many_drawn = st.lists(drawn, max_size=25)
spans = st.tuples(st.none() | instants, st.none() | instants)


def brute_force(requests: Iterable[Drawn]) -> Spend:
    """The sum over those that are counted."""
    return reduce(
        add,
        (
            Spend(1, Usd(one.cost or 0), int(one.cost is None), int(one.status is Status.ERROR), one.prompt or 0, 7)
            for one in requests
            if one.counted
        ),
        Spend.nothing(),
    )


def within(since: int | None, until: int | None, at: int) -> bool:
    """Half-open, None is open."""
    return (since is None or since <= at) and (until is None or at < until)
