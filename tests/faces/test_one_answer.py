"""One figure, one answer: every face is asked about the same store, and compared with the requests themselves.

A new face is a function from the world to what it says, by figure, and a line in FACES. Where a face says a figure in
several places, its name in `Said` has a word more: `status today` and `model tiny alone` are `today` and `model tiny`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace

import pytest

from spendtop.store.engine import Store
from tests.cli.conftest import Cli, cli, home_store  # noqa: F401  (fixtures)
from tests.conftest import SettableClock
from tests.faces import people, programs
from tests.faces.said import Figure, Said, wrong
from tests.faces.world import World, world

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


@pytest.fixture
def truth(home_store: Store, clock: SettableClock, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> World:  # noqa: F811
    still = SimpleNamespace(time_ns=lambda: clock() * 1000, time=lambda: clock() / 1e6, monotonic=time.monotonic)
    for module in ("effective_limits", "status"):
        monkeypatch.setattr(f"spendtop.cli.{module}.time", still)
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
