"""One figure, one answer: every face is asked about the same store, and compared with the requests themselves.

A new face is a function from the world to what it says, by figure, and a line in FACES. Where a face says a figure in
several places, its name in `Said` has a word more: `status today` and `model tiny alone` are `today` and `model tiny`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace

import pytest

from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from tests.cli.conftest import Cli, cli, home_store  # noqa: F401  (fixtures)
from tests.conftest import SettableClock
from tests.faces import people, programs
from tests.faces.said import Figure, Said, wrong
from tests.faces.world import World, bills_only, world
from tests.tui.conftest import opened, picture, until

Face = Callable[[World], Awaitable[Mapping[str, Said]]]

FACES: Mapping[str, Face] = {
    "commands": people.commands,
    "commands with --json": programs.commands_in_json,
    "HTTP, Prometheus and CSV": programs.http,
    "SQL views": programs.views_for_sql,
    "messages": people.messages,
    "status line": people.status_line,
    **{f"screens at {width}": people.screens(width) for width in people.WIDTHS},
}
_LEAST = {"messages": 2, "status line": 4, "commands": 18, "SQL views": 16}
"""How many figures a face has to say at least, so that none falls silent."""


@pytest.fixture(autouse=True)
def _commands_read_the_same_clock(clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    still = SimpleNamespace(time_ns=lambda: clock() * 1000, time=lambda: clock() / 1e6, monotonic=time.monotonic)
    for module in ("effective_limits", "spending.status"):
        monkeypatch.setattr(f"spendtop.cli.{module}.time", still)


@pytest.fixture
def truth(home_store: Store, clock: SettableClock, cli: Cli) -> World:  # noqa: F811
    return world(home_store, clock, cli)


def figure_of(name: str, figures: Mapping[str, Figure]) -> Figure:
    """The one whose name is in `name`; the longest where there are several."""
    return figures[max((each for each in figures if f" {each} " in f" {name} "), key=len)]


_OTHER_NAMES = {
    "sum of rows": "today",
    "line": "today",
    "alert title": "alert said",
}


@pytest.mark.parametrize("face", FACES)
async def test_every_face_says_what_is_so(face: str, truth: World) -> None:
    said = await FACES[face](truth)
    mistakes = {name: wrong(each, figure_of(_OTHER_NAMES.get(name, name), truth.truth)) for name, each in said.items()}
    assert {name: sides for name, sides in mistakes.items() if sides} == {}
    assert len(said) >= _LEAST.get(face, 20)


async def test_who_only_has_bills_is_told_what_was_billed_and_no_zero(
    home_store: Store,  # noqa: F811
    clock: SettableClock,
    cli: Cli,  # noqa: F811
) -> None:
    bills = bills_only(home_store, clock, cli)
    await programs.write_status(bills)
    assert cli("status").out.startswith(
        "no requests seen · billed today $0.40 just now · openai $60.00, $0.60 a day, runs"
    )
    assert cli("status", "--line", "{today}").out.strip() == "billed today $0.40"
    answer = json.loads(cli("status", "--json").out)
    assert (answer["billed"]["date"], answer["billed"]["cost_nanousd"]) == ("2026-11-20", 400_000_000)
    assert (answer["accounts"][0]["name"], answer["accounts"][0]["balance_nanousd"]) == ("openai", 60_000_000_000)
    assert (answer["today"]["cost_usd"], answer["today"]["requests"]) == (0, 0)
    assert "No requests seen; billed today $0.40" in cli("spend").out
    for width in people.WIDTHS:
        async with SpendtopApp(people.session(bills)).run_test(size=(width, 30)) as pilot:
            await opened(pilot)
            await until(pilot, lambda pilot=pilot: "burns $0.60 a day" in picture(pilot))  # type: ignore[misc]
            header = picture(pilot).splitlines()[0]
            assert "billed today $0.40" in header and "$0.00" not in header
            assert ("Billed/day 30 d  • balance" in picture(pilot)) is (width > 60)
