"""What the viewer is told before it draws; the screens themselves are tests/tui's."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from spendtop.cli.local_config import LocalConfig
from spendtop.cli.options import Options, load_settings
from spendtop.cli.start.child import Child
from spendtop.cli.start.view import (
    _Link,
    _store_name,
    arguments,
    require_terminal,
    require_tunnel,
    stop_process,
)
from spendtop.config.paths import default_database_url
from spendtop.domain.errors import NoPermission, UsageError
from spendtop.domain.windows import Calendar
from spendtop.services.stores.lease import Lease
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep, tell_public_url
from spendtop.tui.session import AttachedCollector
from tests.waiting import DEADLINE

LIMIT = '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 5\n'


def written(text: str) -> Options:
    Path("spendtop.toml").write_text(text)
    Path("spendtop.toml").chmod(0o600)
    return Options()


def test_a_collector_reads_the_same_configuration() -> None:
    options = written("[server]\nport = 9001\n")
    given = arguments(Options(port=9002, tunnel="ngrok", debug=True), load_settings(options))
    file = str(Path("spendtop.toml").absolute())
    assert given == ["--config", file, "--port", "9002", "--tunnel", "ngrok", "--debug"]


def test_the_screens_need_a_terminal() -> None:
    with pytest.raises(UsageError, match="--no-ui"):
        require_terminal()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////srv/llm.db", "llm"),
        ("postgresql+psycopg://me:secret@db.example/bill", "db.example/bill"),
        ("postgresql+psycopg://me@db.example/bill?password=secret", "db.example/bill"),
    ],
)
def test_a_store_is_called_by_its_file_or_database_and_never_by_its_password(url: str, name: str) -> None:
    assert _store_name(url) == name


def test_the_usual_store_is_called_by_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "prod-3")
    assert _store_name(default_database_url()) == "prod-3"


def test_a_collector_that_ended_in_the_meantime_is_stopped() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait(DEADLINE)
    stop_process(ended.pid)


def test_a_collector_of_another_user_is_left_to_that_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", refuse)
    with pytest.raises(NoPermission, match="another user's"):
        stop_process(2**22 + 1)


def test_a_collector_that_runs_without_the_wanted_tunnel_is_named(home_store: Store) -> None:
    with pytest.raises(UsageError, match="spendtop stop"):
        require_tunnel(home_store)
    info = CollectorInfo(version="1", host="h", pid=1, url="u", started_at=0)
    with home_store.writing() as connection:
        keep(
            connection,
            Applied(limits=(), calendar=Calendar("UTC"), channels=(), collector=info, at=0, config_digest=""),
        )
    with pytest.raises(UsageError, match="without a tunnel"):
        require_tunnel(home_store)
    with home_store.writing() as connection:
        tell_public_url(connection, "https://x.example")
    require_tunnel(home_store)


def link_to(store: Store, monkeypatch: pytest.MonkeyPatch) -> _Link:
    """Of a viewer over this store that started no collector."""
    monkeypatch.setattr("spendtop.cli.options.open_store", lambda settings: store)
    options = written("")
    loaded = load_settings(options)
    link = _Link(loaded, LocalConfig(options, loaded), None, ExitStack(), False, _no_child)
    link.connect(lambda share: None)
    return link


def _no_child() -> Child:
    raise AssertionError("no collector is started here")


def test_a_collector_of_the_same_postgresql_on_another_machine_is_seen(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_to(postgres_store, monkeypatch)
    assert link.collector() is None
    info = CollectorInfo(version="1", host="far", pid=77, url="http://far:8000", started_at=0)
    with postgres_store.writing() as connection:
        Lease("far:77:0").renew(connection)
        keep(
            connection,
            Applied(limits=(), calendar=Calendar("UTC"), channels=(), collector=info, at=0, config_digest=""),
        )
    assert link.collector() == AttachedCollector(77, "ready", "http://far:8000", started_here=False)
    link.stop_collector()  # only one of this machine is
    with postgres_store.writing() as connection:
        connection.execute(text("UPDATE lease SET until = 0"))
    assert link.collector() is None
