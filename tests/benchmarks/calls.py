"""How many functions of ours run on the way of one thing through the collector.

`python -m tests.benchmarks calls`; `python -m tests.benchmarks.calls` names them, each with how often it runs.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from tests.api.recorders import recording
from tests.benchmarks.alert_calls import alert
from tests.benchmarks.counting import Calls, Counting
from tests.benchmarks.measuring import Figure, say
from tests.benchmarks.workshop import Workshop
from tests.conftest import SettableClock
from tests.helicone_captures import captures

_WARM_UP, _TIMES = 5, 50
_NOW = 1_793_491_200_000_000
"""UTC µs."""


def calls(workshop: Workshop) -> list[Figure]:
    """Calls of functions of ours, in all threads: fewer are a shorter way to read and to go."""
    return [
        Figure(f"calls on the way of one {name}", sum(count(workshop.own("calls")).values()), goal, True, "calls")
        for name, (count, goal) in WAYS.items()
    ]


def webhook(folder: Path) -> Calls:
    """From the socket through the recorder's commit to the answer, each in a group of its own."""
    raw = captures()["openai_chat_success_user_session_props_unicode"].raw
    request_id = raw.split(b'"request_id":"', 1)[1].split(b'"', 1)[0]
    counter = Counting()

    async def post(store: Store) -> None:
        async with recording(store, SettableClock(_NOW)) as (live, _):
            for number in range(_WARM_UP + _TIMES):
                counter.is_on = number >= _WARM_UP
                answer = await live.post_signed(raw.replace(request_id, b"%b-%d" % (request_id, number)))
                assert answer.json()["status"] == "stored", answer.text
            counter.is_on = False

    with closing(Store(f"sqlite:///{folder / 'spendtop.db'}")) as store, counter.installed():
        upgrade(store)
        asyncio.run(post(store))
    return counter.per_time(_TIMES)


WAYS: Mapping[str, tuple[Callable[[Path], Calls], float]] = {"webhook": (webhook, 200), "alert": (alert, 300)}
"""What is counted, and the most that it may be."""


def main() -> None:
    for name, (count, _) in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = count(Path(folder))
        say(f"{name}: {sum(found.values()):.1f} calls, {len(found)} functions")
        for function, times in found.items():
            say(f"{times:8.2f}  {function}")


if __name__ == "__main__":
    main()
