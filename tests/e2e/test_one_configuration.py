"""One store, one configuration: a collector that is started elsewhere goes by the file that configured its store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, CollectorProcess, environment, rows, save, spendtop, started, webhook
from tests.waiting import eventually

KEY = "an-admin-key-0123456789"
DAILY = '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 1\nwarn = []\n'
EACH = '[[limit]]\nname = "each"\neach = "user"\nwindow = "day"\nusd = 5\n'


class Home:
    """A user's home with the store that is found without any configuration, and folders to start in."""

    def __init__(self, folder: Path, sink: HttpSink) -> None:
        self.folder = folder
        self.config = (
            LISTENER.replace("port = 0", f'port = 0\napi_key = "{KEY}"')
            + f'[[channel]]\nname = "ops"\nurl = "{sink.url("/ok")}"\n'
        )
        self._sink = sink
        self.project = self.place("my project")
        self.elsewhere = self.place("elsewhere")
        self.file = self.project / "spendtop.toml"
        save(self.file, self.config + DAILY)

    def place(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return rows(self.folder / ".local/share/spendtop", sql)

    @property
    def told(self) -> list[str]:
        """Titles of the messages that have arrived."""
        return [str(body["title"]) for _, body in self._sink.arrivals.all]

    def spend(self, collector: CollectorProcess, name: str) -> None:
        """Over the limit, and everything that follows from it."""
        assert collector.post(webhook(name, 2.0)).status_code == 200
        left = "SELECT (SELECT COUNT(*) FROM limit_mark) + (SELECT COUNT(*) FROM delivery WHERE state <> 'sent')"
        eventually(lambda: self.rows(left) == [(0,)])


@pytest.fixture
def home(tmp_path: Path) -> object:
    with HttpSink() as sink:
        yield Home(tmp_path, sink)


def test_started_in_another_folder_it_has_the_same_limits_channels_secrets_and_acks(home: Home) -> None:
    with started(home.folder, cwd=home.project) as first:
        home.spend(first, "one")
        home_cli = spendtop(home.folder, "alert", "ack", "1", "--by", "carol")
        assert home_cli.code == 0
        first.end()
    assert len(home.told) == 1

    with started(home.folder, cwd=home.elsewhere) as second:
        home.spend(second, "two")
        assert "daily $1.00/day" in second.out
        second.end()
    assert f"taking {home.file}, which configured this store" in second.err
    assert len(home.told) == 1
    assert home.rows("SELECT state, acked_by FROM alert") == [("exceeded", "carol")]


def test_a_start_without_any_file_is_asked_for_and_is_not_remembered(home: Home) -> None:
    with started(home.folder, cwd=home.project) as first:
        home.spend(first, "one")
        first.end()
    with started(home.folder, "--no-config", "--port", "0", cwd=home.project) as without:
        assert without.post(webhook("two", 2.0)).status_code == 403
        eventually(lambda: 'limit "daily" removed' in without.out)
        eventually(lambda: home.rows("SELECT state FROM alert") == [("resolved",)])
        without.end()
    with started(home.folder, cwd=home.elsewhere) as again:
        home.spend(again, "three")
        again.end()
    assert home.rows("SELECT state FROM alert") == [("exceeded",)]
    assert len(home.told) == 1


def test_a_file_that_is_gone_ends_the_start_and_takes_nothing_along(home: Home) -> None:
    with started(home.folder, cwd=home.project) as first:
        home.spend(first, "one")
        first.end()
    home.file.rename(home.project / "away")
    ended = spendtop(home.folder, "--no-ui", "--port", "0")
    assert ended.code == 78 and str(home.file) in ended.err and "spendtop --no-config" in ended.err
    assert home.rows("SELECT state FROM alert") == [("exceeded",)]


def test_another_file_that_is_found_wins_is_named_with_what_differs_and_is_remembered(home: Home) -> None:
    with started(home.folder, cwd=home.project) as first:
        first.end()
    other = home.elsewhere / "spendtop.toml"
    save(other, home.config + EACH)
    with started(home.folder, cwd=home.elsewhere) as second:
        eventually(lambda: "before it was" in second.out)
        second.end()
    said = next(line for line in second.lines if "before it was" in line)
    assert f"Configured by {other}; before it was {home.file}" in said
    assert 'limit "daily" removed' in said and 'limit "each" added' in said and "ops" not in said
    with started(home.folder) as third:
        third.end()
    assert f"taking {other}" in third.err


SLIP = '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 1 # unless\nwarn = 0.5]\n'


def test_beside_a_broken_file_the_collector_goes_on_and_every_tool_works(home: Home) -> None:
    with started(home.folder, cwd=home.project) as collector:
        home.spend(collector, "one")
        save(home.file, home.config + SLIP)
        eventually(lambda: "is refused" in collector.out)
        request_id = str(home.rows("SELECT id FROM request")[0][0])
        for words in (
            ("alert", "list"),
            ("alert", "ack", "1", "--by", "carol"),
            ("requests",),
            ("request", request_id),
            ("spend",),
            ("export",),
        ):
            for folder in (home.project, home.elsewhere):
                ended = spendtop(home.folder, *words, cwd=folder)
                assert ended.code == 0, ended
                told = ended.err.splitlines()
                assert any("spendtop.toml:" in line and "not valid TOML" in line for line in told), told
                assert len(told) <= (2 if folder == home.elsewhere else 1) + (words == ("export",))
        slip = "not valid TOML"
        eventually(lambda: slip in str(collector.health(KEY)["detail"]["conditions"]))
        status = spendtop(home.folder, "status", cwd=home.project)
        assert status.code == 11 and "DEGRADED for" in status.out and slip in status.out
        assert slip in spendtop(home.folder, "status", "--json", cwd=home.project).out
        lenient = {name: value for name, value in environment(home.folder).items() if name != "PYTHONWARNINGS"}
        checked = spendtop(home.folder, "check", cwd=home.elsewhere, environ=lenient)  # Apprise imports what is old
        assert checked.code == 78
        assert slip in checked.out and "schema" in checked.out and "listens at" in checked.out
        home.spend(collector, "two")
        save(home.file, home.config + DAILY)
        eventually(lambda: collector.health()["status"] == "healthy")
        eventually(lambda: "DEGRADED" not in spendtop(home.folder, "status", cwd=home.project).out)
        collector.process.kill()
        collector.process.wait()
        assert '"collector": "gone"' in spendtop(home.folder, "status", "--json", cwd=home.project).out
    assert home.rows("SELECT state, acked_by FROM alert") == [("exceeded", "carol")]
    assert len(home.told) == 1


def test_a_broken_file_is_refused_at_the_start_with_every_slip(home: Home) -> None:
    save(home.file, home.config + SLIP + "[ui]\ntheme = 5\n[unknown]\n")
    ended = spendtop(home.folder, "--no-ui", cwd=home.project)
    assert ended.code == 78
    assert ended.err.count("spendtop.toml:") == 3
