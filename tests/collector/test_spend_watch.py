"""The loop that looks for unusual spend."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from spendtop.collector.spend_watch import SpendWatch, anomaly_rules
from spendtop.domain.clock import DAY, MINUTE
from spendtop.services.alerting.announcements import Announcement
from tests.collector.conftest import Bench
from tests.waiting import soon

OFF, ON = "[anomaly]\nenabled = false\n", '[anomaly]\neach = ["all"]\n'


async def test_it_looks_while_evaluating_is_ours_and_the_configuration_in_force_wants_it(bench: Bench) -> None:
    bench.configure(OFF)
    bench.start()
    now, minutes = bench.clock(), range(-60, 60, 10)
    bench.record(
        *(bench.request(2.0, occurred_at=now - day * DAY + at * MINUTE) for day in range(1, 9) for at in minutes),
        *(bench.request(20.0) for _ in range(4)),
    )
    said: list[str] = []
    asked = {"owns": 0}
    is_ours = False

    def owns() -> bool:
        asked["owns"] += 1
        return is_ours

    def announced(announcements: Sequence[Announcement]) -> None:
        said.extend(each.message.limit_name for each in announcements)

    watch = SpendWatch(
        bench.store,
        bench.recorder,
        lambda: bench.active.settings,
        anomaly_rules,
        bench.clock,
        owns,
        announced,
        every=0.001,
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch.run(stop))
        await soon(lambda: asked["owns"] > 2)
        is_ours, asked["owns"] = True, 0
        await soon(lambda: asked["owns"] > 2)
        assert bench.rows("SELECT * FROM alert") == []
        bench.configure(ON)
        bench.active.apply(bench.load())
        await soon(lambda: said == ["everyone"])
        stop.set()
    assert bench.rows("SELECT rule, state, severity FROM alert") == [("anomaly/all", "approaching", "warning")]
    assert bench.rows("SELECT * FROM delivery") == []
