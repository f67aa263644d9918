"""One word for how a source or a token stands."""

from __future__ import annotations

import pytest
from msgspec import structs
from msgspec.structs import replace

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.sources.push_health import PushHealth
from spendtop.domain.sources.records import (
    HELICONE,
    INGEST,
    LITELLM,
    OTLP,
    PUSHES,
    ProviderPush,
    Source,
    pushed_sources,
)
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.configuration.applied import Doors
from spendtop.store.reads.sources.completeness import PollerRow
from spendtop.store.reads.sources.sources import SourceRow, TokenRow
from spendtop.tui.sources.questions import _SETTINGS, PolledRow
from spendtop.tui.sources.state import (
    State,
    advice,
    poller_advice,
    poller_state,
    push_advice,
    source_state,
    token_state,
)

NOW = 100 * HOUR
OPEN = Doors(webhook_secret=True, ingest_keys=("default",))


def source(source: Source, last_at: int | None) -> SourceRow:
    return SourceRow(
        source=source,
        last_at=last_at,
        last_minute=0,
        today=0,
        trend=(),
        repeats=0,
        assumed_repeats=0,
        refused=0,
        lag=None,
    )


def token(last_at: int | None, active: bool = True, shadow: bool = False) -> TokenRow:
    value = Untrusted("web")
    return TokenRow(
        id=1,
        token=value,
        name=value,
        active=active,
        shadow=shadow,
        created_at=0,
        last_at=last_at,
        last_minute=0,
        today=0,
    )


@pytest.mark.parametrize(
    ("which", "last_at", "doors", "recording", "state"),
    [
        (INGEST, NOW - MINUTE, OPEN, True, State.LIVE),
        (INGEST, NOW - 2 * HOUR, OPEN, True, State.QUIET),
        (INGEST, NOW - MINUTE, OPEN, False, State.QUIET),
        (OTLP, None, OPEN, True, State.WAITS),
        (OTLP, None, None, True, State.OFF),
        (LITELLM, NOW - MINUTE, Doors(webhook_secret=True), True, State.OFF),
        (HELICONE, NOW - MINUTE, Doors(ingest_keys=("default",)), True, State.OFF),
        (HELICONE, None, Doors(unsigned=True), True, State.UNSIGNED),
    ],
)
def test_a_source_stands_as_its_door_and_its_last_event(
    which: Source, last_at: int | None, doors: Doors | None, recording: bool, state: State
) -> None:
    assert source_state(source(which, last_at), doors, recording, NOW) is state


@pytest.mark.parametrize(
    ("row", "heard", "state"),
    [
        (token(NOW - MINUTE), True, State.LIVE),
        (token(NOW - MINUTE), False, State.QUIET),
        (token(None), True, State.WAITS),
        (token(NOW - MINUTE, active=False), True, State.OFF),
        (token(NOW - MINUTE, shadow=True), True, State.SHADOW),
        (token(None, shadow=True), True, State.QUIET_SHADOW),
    ],
)
def test_a_token_stands_as_it_was_switched_and_heard(row: TokenRow, heard: bool, state: State) -> None:
    assert token_state(row, heard, NOW) is state


def polled(succeeded_at: int | None, failure: str | None = None, setting: str = "", stale: bool = False) -> PolledRow:
    told = None if failure is None else Untrusted(failure)
    poller = PollerRow(
        name="", complete_until=None, succeeded_at=succeeded_at, failed_at=None, failure=told, failures=0
    )
    return PolledRow(name="", title="", setting=setting, poller=poller, stale=stale, source=None)


@pytest.mark.parametrize(
    ("row", "recording", "state", "said"),
    [
        (polled(NOW), True, State.LIVE, "r asks at once"),
        (polled(NOW), False, State.QUIET, "start `spendtop`"),
        (polled(NOW, stale=True), True, State.STALE, "start `spendtop`"),
        (polled(None), True, State.WAITS, "no answer yet"),
        (polled(NOW, "No answer."), True, State.FAILING, "! No answer."),
        (polled(NOW, "No answer.", setting="api_key under [helicone]"), True, State.WAITS, "set api_key under"),
    ],
)
def test_a_poller_stands_as_its_key_and_its_last_poll(row: PolledRow, recording: bool, state: State, said: str) -> None:
    assert poller_state(row, recording) is state
    assert said in poller_advice(row, state)


@pytest.mark.parametrize("which", list(pushed_sources()), ids=str)
@pytest.mark.parametrize("state", [State.OFF, State.WAITS, State.UNSIGNED])
def test_advice_fits_the_notice_of_a_small_screen(which: Source, state: State) -> None:
    assert len(advice(which, state, "http://127.0.0.1:65535")) <= 78


@pytest.mark.parametrize("push", PUSHES, ids=str)
def test_what_is_said_of_a_provider_fits_as_well(push: ProviderPush) -> None:
    asked = polled(NOW).poller
    assert asked is not None
    heard = PushHealth(leads_here=True, succeeded_at=NOW - 59 * MINUTE)
    words = [push_advice(push, State.OFF, None, NOW), push_advice(push, State.WAITS, asked, NOW)]
    words += [
        push_advice(push, State.LIVE, replace(asked, push_health=health), NOW)
        for health in (heard, structs.replace(heard, leads_here=False))
    ]
    assert max(map(len, words)) <= 76


@pytest.mark.parametrize("setting", [*_SETTINGS.values(), "api_key under [helicone]"])
def test_which_setting_a_provider_waits_for_fits_as_well(setting: str) -> None:
    assert len(poller_advice(polled(None, setting=setting), State.WAITS)) <= 76


def test_states_fit_their_column() -> None:
    assert max(map(len, State)) <= 9
