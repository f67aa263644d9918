from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import gethostname
from typing import Any

import pytest
from sqlalchemy import Connection

from spendtop.collector import config_reload
from spendtop.collector.config_reload import CONFIG_NEWS, ConfigReload
from spendtop.config.config_files import ConfigFiles
from spendtop.config.load import load_files
from spendtop.domain.clock import HOUR
from spendtop.sources.settings import SECTIONS
from spendtop.store.reads.configuration.applied import Applied, applied
from spendtop.store.reads.configuration.configured_by import ConfiguredBy, configured_by
from tests.collector.conftest import SECRET, Bench
from tests.waiting import DEADLINE, soon

DAILY = '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 10\n'
CHEAP = DAILY + 'where = "-model:gpt-4o-mini"\n'


class Followed:
    """A configuration that is followed, and what was said about it."""

    def __init__(self, bench: Bench) -> None:
        bench.start()
        self.bench = bench
        self.said: list[str] = []
        self.applications = 0
        self.asked = asyncio.Event()
        self.reloading = ConfigReload(
            bench.load,
            bench.active,
            bench.recorder,
            bench.clock,
            "http://127.0.0.1:8000",
            self.asked,
            self.said.append,
            self._applied,
        )

    def _applied(self) -> None:
        self.applications += 1

    def in_store(self) -> Applied:
        with self.bench.store.reading() as connection:
            found = applied(connection)
        assert found is not None
        return found

    def news(self) -> dict[str, Any]:
        (row,) = self.bench.rows(f"SELECT value FROM meta WHERE name = '{CONFIG_NEWS}'")
        news: dict[str, Any] = json.loads(row[0])
        return news

    def rejections(self) -> int:
        return len(self.bench.rows(f"SELECT 1 FROM meta WHERE name = '{CONFIG_NEWS}' AND value LIKE '%\"ok\": false%'"))

    def marks(self) -> list[tuple[Any, ...]]:
        return self.bench.rows("SELECT limit_name, entity FROM limit_mark ORDER BY 1, 2")

    def own_totals(self) -> list[tuple[Any, ...]]:
        return self.bench.rows(
            "SELECT SUM(requests), SUM(cost_nano) FROM total WHERE dimension LIKE 'limit/%' GROUP BY dimension"
        )


@asynccontextmanager
async def following(followed: Followed) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(followed.reloading.run(stop))
        yield
        stop.set()


async def test_every_face_finds_in_the_store_what_is_in_force(bench: Bench) -> None:
    bench.configure(DAILY + '[[channel]]\nname = "ops"\nurl = "json://user:canary@127.0.0.1/"\n')
    followed = Followed(bench)
    await followed.reloading.publish()
    found = followed.in_store()
    assert [limit.name for limit in found.limits] == ["daily"]
    assert found.channels == ("ops",)
    assert found.calendar.zone == "UTC"
    assert found.collector.url == "http://127.0.0.1:8000"
    assert found.config_digest == bench.active.digest
    assert "canary" not in str(bench.rows("SELECT value FROM meta"))


async def test_the_files_that_configured_the_store_are_remembered(bench: Bench) -> None:
    followed = Followed(bench)
    await followed.reloading.publish()
    first = _remembered(bench)
    assert first is not None
    assert (first.document, first.env_file, first.at) == (str(bench.file), None, bench.clock())
    bench.configure(DAILY)
    await followed.reloading.reload()
    second = _remembered(bench)
    assert second is not None and second.digest != first.digest


async def test_a_start_without_files_is_not_remembered_and_names_what_is_gone(bench: Bench) -> None:
    bench.configure(DAILY)
    followed = Followed(bench)
    await followed.reloading.publish()
    before = _remembered(bench)
    nothing = ConfigFiles(here=bench.file.parent, folder=bench.file.parent)
    bench.active.apply(load_files(nothing, sections=SECTIONS, environ={"SPENDTOP_TIME__ZONE": "UTC"}))
    await followed.reloading.publish()
    async with following(followed):
        await soon(lambda: followed.said)
    assert followed.said[0] == (
        f"No configuration file counts this time; before it was {bench.file}:"
        ' limit "daily" removed; signing secret removed'
    )
    assert _remembered(bench) == before


def _remembered(bench: Bench) -> ConfiguredBy | None:
    with bench.store.reading() as connection:
        return configured_by(connection, gethostname())


async def test_a_good_change_is_applied_and_named(bench: Bench) -> None:
    bench.configure(DAILY)
    followed = Followed(bench)
    async with following(followed):
        bench.configure(DAILY.replace("10", "12.5"))
        await soon(lambda: followed.said)
        await soon(lambda: followed.applications == 1)
    assert followed.said == ["Configuration applied: limit.daily.usd: $10.00 → $12.50"]
    assert followed.news() == {"at": bench.clock(), "ok": True, "text": followed.said[0]}
    assert str(bench.recorder.book.limits[0].amount) == "$12.50"
    assert str(followed.in_store().limits[0].amount) == "$12.50"


async def test_a_saved_env_of_an_older_system_is_applied_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.file.parent)
    old, new = bench.file.parent / ".env", bench.file.parent / "new"
    for file, usd in ((old, 5), (new, 7)):
        file.touch(mode=0o600)
        file.write_text(f"DAILY_SPEND_LIMIT={usd}\n")
    followed = Followed(bench)
    async with following(followed):
        new.replace(old)
        await soon(lambda: followed.said)
    assert followed.said == ["Configuration applied: limit.daily.usd: $5.00 → $7.00"]


async def test_a_bad_change_is_refused_with_its_line_and_the_old_one_goes_on(bench: Bench) -> None:
    bench.configure(DAILY)
    followed = Followed(bench)
    async with following(followed):
        bench.configure(DAILY + 'limt = 5\nkey = "canary"\n')
        await soon(lambda: followed.said)
        rejected = followed.reloading.rejected
        assert rejected is not None
        assert f"{bench.file.name}:9" in rejected
        await soon(lambda: followed.rejections() == 1)
        bench.configure(DAILY)
        await soon(lambda: followed.reloading.rejected is None)
        await soon(lambda: len(followed.said) == 2)
        await soon(lambda: followed.rejections() == 0)
    assert followed.said[0].startswith("The changed configuration is refused, the old one goes on: ")
    assert followed.said[1] == "The configuration is again the one that is in force."
    assert followed.news()["ok"] is True
    assert followed.applications == 0
    assert "canary" not in "".join(followed.said)
    assert [limit.name for limit in bench.recorder.book.limits] == ["daily"]


def channel(name: str, url: str) -> str:
    return f'[[channel]]\nname = "{name}"\nurl = "{url}"\n'


async def test_a_channel_that_cannot_work_is_warned_of_at_the_start_and_refused_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_reload, "CHANNELS_AFTER_SECONDS", 0)
    half = channel("half", "slack://T0KEN")
    bench.configure(DAILY + half)
    followed = Followed(bench)
    async with following(followed):
        await soon(lambda: followed.said)
        warning = "Channel half cannot work: its URL is not a complete slack:// URL"
        assert followed.said[0].startswith(f"WARNING {warning}")
        assert (followed.reloading.amiss or "").startswith(warning)
        bench.configure(CHEAP + half)
        await soon(lambda: followed.applications == 1)
        bench.configure(DAILY + half + channel("my ops", "tgram://T0KEN"))
        await soon(lambda: followed.reloading.rejected)
        line = 1 + next(at for at, text in enumerate(bench.file.read_text().splitlines()) if "tgram" in text)
        slip = f"{bench.file}:{line}: [channel] url: is not a complete tgram:// URL"
        assert (followed.reloading.rejected or "").startswith(slip)
        assert warning in (followed.reloading.amiss or "")
        bench.configure(DAILY + channel("half", "json://127.0.0.1/half"))
        await soon(lambda: followed.applications == 2)
        assert followed.reloading.amiss is None
    assert "T0KEN" not in " ".join(followed.said)


async def test_a_file_that_is_gone_is_no_change(bench: Bench) -> None:
    bench.configure(DAILY)
    followed = Followed(bench)
    async with following(followed):
        away = bench.file.rename(bench.file.with_name("away"))
        await soon(lambda: followed.said)
        assert followed.reloading.rejected == f"{bench.file} is gone. Put it back, or restart the collector without it."
        away.rename(bench.file)
        await soon(lambda: followed.reloading.rejected is None)
    assert followed.applications == 0
    assert [limit.name for limit in bench.recorder.book.limits] == ["daily"]


async def test_a_change_between_reading_and_watching_is_not_missed(bench: Bench) -> None:
    followed = Followed(bench)
    bench.configure(DAILY)
    async with following(followed):
        await soon(lambda: followed.applications == 1)


async def test_it_can_be_asked_to_read_again(bench: Bench) -> None:
    key = bench.file.with_name("key")
    key.touch(mode=0o600)
    key.write_text("first-api-key-0123456789")
    bench.configure(f'[server]\napi_key = "file:{key}"\n')
    followed = Followed(bench)
    async with following(followed):
        key.write_text("second-api-key-0123456789")
        followed.asked.set()
        await soon(lambda: followed.said)
    assert followed.said == ["Configuration applied: server.api_key: changed"]


async def test_a_saved_file_that_changes_nothing_says_nothing(bench: Bench) -> None:
    bench.configure(DAILY)
    followed = Followed(bench)
    await followed.reloading.reload()
    bench.configure(DAILY + "# a remark\n")
    await followed.reloading.reload()
    assert followed.said == []
    assert followed.applications == 0


async def test_a_new_limit_with_a_scope_counts_what_was_recorded_before(bench: Bench) -> None:
    followed = Followed(bench)
    bench.record(bench.request(1.0), bench.request(2.0, model="gpt-4o-mini"))
    bench.configure(CHEAP)
    await followed.reloading.reload()
    assert followed.own_totals() == [(1, 1_000_000_000)]
    bench.record(bench.request(0.5))
    assert followed.own_totals() == [(2, 1_500_000_000)]
    bench.configure(DAILY)
    await followed.reloading.reload()
    assert followed.own_totals() == []


async def test_requests_that_arrive_while_limits_change_are_counted_once(bench: Bench) -> None:
    followed, gate, told = Followed(bench), threading.Event(), list[object]()
    bench.record(*(bench.request(0.001) for _ in range(50)))
    bench.configure(CHEAP)
    held = bench.recorder.run(lambda connection: gate.wait(DEADLINE))
    bench.recorder.submit([bench.request(0.001) for _ in range(5)], told.append)
    reload = asyncio.ensure_future(followed.reloading.reload())
    await soon(lambda: bench.recorder.waiting == 2)
    bench.recorder.submit([bench.request(0.001) for _ in range(7)], told.append)
    gate.set()
    await reload
    await soon(lambda: len(told) == 2)
    assert held.result()
    assert followed.own_totals() == [(62, 62_000_000)]


async def test_a_limit_that_is_crossed_already_when_it_comes_is_marked(bench: Bench) -> None:
    followed = Followed(bench)
    await followed.reloading.publish()
    bench.record(bench.request(9.0), bench.request(0.5, user_id="bob"))
    bench.configure(DAILY + '[[limit]]\nname = "each"\neach = "user"\nwindow = "day"\nusd = 5\n')
    await followed.reloading.reload()
    assert followed.marks() == [("daily", ""), ("each", "ann")]


async def test_a_limit_that_stays_as_it_is_is_not_marked_again(bench: Bench) -> None:
    bench.configure(CHEAP)
    followed = Followed(bench)
    await followed.reloading.publish()
    bench.record(bench.request(9.0))
    with bench.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM limit_mark")
    bench.configure(CHEAP + '[[limit]]\nname = "other"\nwindow = "day"\nusd = 5000\n')
    await followed.reloading.reload()
    assert followed.marks() == []


async def test_a_limit_that_vanishes_and_comes_back_goes_on_with_its_alert(bench: Bench) -> None:
    bench.configure(DAILY)
    followed = Followed(bench)
    await followed.reloading.publish()
    bench.record(bench.request(11.0))
    _evaluated(bench)
    for text, state in (("", "resolved"), (DAILY, "exceeded"), ("", "resolved"), (CHEAP, "exceeded")):
        bench.configure(text)
        await followed.reloading.reload()
        _evaluated(bench)
        assert bench.rows("SELECT rule, state, spoke FROM alert") == [("limit/daily", state, 1)]


def _evaluated(bench: Bench) -> None:
    """What the configuration in force makes of the marks and of what is unresolved."""
    with bench.store.writing() as connection:
        bench.active.evaluator.evaluate(connection, bench.clock())
        bench.active.evaluator.revisit(connection, bench.clock())


async def test_limits_of_one_request_do_not_speak_about_the_past(bench: Bench) -> None:
    followed = Followed(bench)
    await followed.reloading.publish()
    bench.record(bench.request(9.0, occurred_at=bench.clock() - HOUR))
    bench.configure('[[limit]]\nname = "one"\nwindow = "request"\nusd = 1\n')
    await followed.reloading.reload()
    assert followed.marks() == []


async def test_a_store_that_fails_leaves_the_old_configuration_in_force(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = Followed(bench)

    def broken(connection: Connection, value: Applied) -> None:
        raise RuntimeError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr("spendtop.collector.config_reload.keep", broken)
        bench.configure(CHEAP)
        with pytest.raises(RuntimeError):
            await followed.reloading.reload()
    assert bench.active.book.limits == bench.recorder.book.limits == ()
    bench.record(bench.request(1.0))
    await followed.reloading.reload()
    assert followed.own_totals() == [(1, 1_000_000_000)]


async def test_secrets_that_change_are_named_only(bench: Bench) -> None:
    followed = Followed(bench)
    bench.file.write_text(bench.file.read_text().replace(SECRET, "another-secret-0123456789"))
    await followed.reloading.reload()
    assert followed.said
    assert SECRET not in followed.said[0]
    assert "another-secret" not in followed.said[0]
