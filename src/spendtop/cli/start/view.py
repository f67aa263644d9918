"""`spendtop`, `attach` and `stop`: the screens, over a collector that is started where none holds the store."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

from spendtop.cli.local_config import LocalConfig
from spendtop.cli.options import Options, load_readable
from spendtop.cli.start.child import Child, NotStarted, collector_log
from spendtop.config.load import Loaded
from spendtop.config.paths import data_folder, default_database_url, state_folder, theme_folder
from spendtop.config.problems import in_one
from spendtop.domain.clock import SECOND
from spendtop.domain.errors import NoPermission, SpendtopError, UsageError
from spendtop.sources.settings import SECTIONS
from spendtop.tui.session import AttachedCollector, Session

if TYPE_CHECKING:
    from spendtop.collector.process.store_lock import Places
    from spendtop.services.stores.presence import RunningCollector
    from spendtop.store.engine import Store

_STOP_SECONDS = 20.0
_SILENT_AFTER = 90 * SECOND
"""A collector that has not written its status file for so long gives no sign of life."""
_UPGRADE_LOOK_SECONDS = 0.5
_STOP_ANSWER_SECONDS = 10.0
"""What a collector on another machine has for its answer."""


def run(options: Options) -> int:
    """Show the screens until the user leaves; returns the exit code."""
    require_terminal()
    loaded = load_readable(options)
    if options.command == "attach":
        return show(options, loaded, None)
    if loaded.problems:
        if _holder(_store(loaded)) is None:
            raise in_one(loaded.problems)
        return show(options, loaded, None)
    if options.tunnel is not None:
        from spendtop.collector.tunnel import authtoken

        authtoken(loaded.settings)
    return show(options, loaded, _child(options, loaded))


def stop(options: Options) -> int:
    """End the collector and wait for it; on another machine of the same PostgreSQL ask it to. Returns the exit code."""
    from spendtop.cli.run_task import ask_and_wait
    from spendtop.services.tasks import TaskKind
    from spendtop.store.engine import Store

    loaded = load_readable(options)
    store = Store(loaded.settings.database.url.get_secret_value())
    held = _holder(store)
    if held is None:  # a collector can be ended whatever has become of its store
        store = _store(loaded)
        held = _holder(store)
    if held is None and not store.is_sqlite:
        sys.stdout.write(f"{ask_and_wait(store, TaskKind.STOP, {}, _STOP_ANSWER_SECONDS)}\n")
        return 0
    if held is None:
        sys.stdout.write(f"No collector holds {store.name} on this machine; nothing to stop.\n")
        return 0
    stop_process(held.pid)
    sys.stdout.write(f"Stopped the collector of {store.name} (process {held.pid}).\n")
    return 0


def _store(loaded: Loaded) -> Store:
    """The store, whether it exists or not."""
    from spendtop.store.engine import Store
    from spendtop.store.files import locate

    database, _ = locate(loaded.settings.database.url.get_secret_value())
    return Store(database)


def _holder(store: Store) -> RunningCollector | None:
    """The collector of this machine that holds the store."""
    from spendtop.collector.process.store_lock import places
    from spendtop.services.stores.presence import running_collector

    return running_collector(places(store, data_folder()).holder)


def _child(options: Options, loaded: Loaded) -> Child:
    # An address may hold a password, and everybody on this machine sees a process's arguments.
    environment = {} if options.database_url is None else {"SPENDTOP_DATABASE__URL": options.database_url}
    return Child(arguments(options, loaded), "viewer", collector_log(), leash=False, environment=environment)


def require_terminal() -> None:
    """Raise UsageError when there is no terminal to draw on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("TERM") == "dumb":
        raise UsageError(
            "The screens need a terminal. `spendtop --no-ui` collects without one, `spendtop spend` prints totals."
        )


def arguments(options: Options, loaded: Loaded) -> list[str]:
    """The command line that makes a collector read the same configuration."""
    env_file = loaded.files.env_file
    pairs = {
        "--config": loaded.path.absolute() if loaded.path else None,
        "--env-file": env_file.absolute() if env_file else None,
        "--host": options.host,
        "--port": options.port,
        "--tunnel": options.tunnel,
    }
    words = [text for name, value in pairs.items() if value is not None for text in (name, str(value))]
    switches = {
        "--no-config": options.no_config,
        "--new-store": options.new_store,
        "--no-agents": options.no_agents,
        "--debug": options.debug,
    }
    return [*words, *(name for name, is_on in switches.items() if is_on)]


def show(options: Options, loaded: Loaded, child: Child | None, demo: bool = False) -> int:
    """Run the screens over a store, with the collector that was just started or the one that runs."""
    from spendtop.tui.app import run as run_screens

    with ExitStack() as stack:
        config = LocalConfig(options, loaded)
        link = _Link(loaded, config, child, stack, options.tunnel is not None, lambda: _child(options, loaded))
        settings = loaded.settings
        code = run_screens(
            Session(
                connect=link.connect,
                clock=lambda: time.time_ns() // 1000,
                collector=link.collector,
                stop_collector=link.stop_collector,
                start_collector=None if options.read_only or demo else link.start_collector,
                last_sign=link.last_sign,
                store_name="demo" if demo else _store_name(settings.database.url.get_secret_value()),
                sections=SECTIONS,
                config_file=loaded.path.absolute() if loaded.path else None,
                webhook_url=f"{settings.server.public_url}/webhook" if settings.server.public_url else None,
                read_only=options.read_only,
                demo=demo,
                config_differences=link.config.differences,
                calendar=settings.time.calendar,
                theme=settings.ui.theme,
                keymap=settings.ui.keymap,
                bell=settings.ui.bell,
                title=settings.ui.title,
                theme_folders=(theme_folder(),),
                ascii=options.ascii,
                slow=options.slow,
                views=None if demo else state_folder() / "views.json",
                mouse="TMUX" not in os.environ,
            )
        )
        if not demo:
            link.say_what_goes_on()
        return code


@dataclass(slots=True)
class _Link:
    """The viewer's side of the store and its collector."""

    loaded: Loaded
    config: LocalConfig
    child: Child | None
    stack: ExitStack
    wants_tunnel: bool
    new_child: Callable[[], Child]
    _store: Store | None = field(default=None, init=False)
    _seen_elsewhere: AttachedCollector | None = field(default=None, init=False)
    _places: Places | None = field(default=None, init=False)
    _started: int | None = field(default=None, init=False)

    def connect(self, upgraded: Callable[[float], object]) -> Store:
        """Wait for the collector, then open the store. Runs in a thread, after the first picture.

        Raises UsageError when a tunnel is wanted and another collector, without one, holds the store.
        """
        if self.child is not None:
            try:
                self._started = self.child.wait_until_ready(upgraded).pid
            except NotStarted as failure:
                if not failure.already_running:
                    raise
        if self._started is None:
            self._wait_for_upgrade(upgraded)
        from spendtop.cli.options import open_store
        from spendtop.collector.process.garbage import seldom_collected_garbage
        from spendtop.collector.process.store_lock import places
        from spendtop.services.stores.presence import counted_as_viewer

        store = self._store = open_store(self.loaded.settings)
        if self.wants_tunnel and self._started is None:
            require_tunnel(store)
        self._places = places(store, data_folder())
        self.stack.enter_context(counted_as_viewer(self._places.viewers, _own_name()))
        self.stack.enter_context(seldom_collected_garbage())
        return store

    def _wait_for_upgrade(self, upgraded: Callable[[float], object]) -> None:
        """Another collector may be upgrading the store."""
        store = _store(self.loaded)
        while (held := _holder(store)) is not None and held.upgraded is not None:
            upgraded(held.upgraded)
            time.sleep(_UPGRADE_LOOK_SECONDS)

    def collector(self) -> AttachedCollector | None:
        """Who holds the store now; on the way the configuration is looked at."""
        self.config.look()
        return self._here() or self._elsewhere()

    def _here(self) -> AttachedCollector | None:
        """One on this machine."""
        from spendtop.services.stores.presence import running_collector, viewers

        if self._places is None:
            return None
        held = running_collector(self._places.holder)
        if held is None:
            return None
        return AttachedCollector(
            pid=held.pid,
            state=held.state.value,
            url=held.url,
            started_here=held.pid == self._started,
            other_viewers=viewers(self._places.viewers, besides=os.getpid()),
            conditions=held.conditions,
            last_sign=self._overdue_sign(),
        )

    def say_what_goes_on(self) -> None:
        """Of a collector that began with screens somebody may think that it ends with them."""
        from spendtop.services.stores.presence import CollectorState, running_collector

        held = running_collector(self._places.holder) if self._places else None
        if held is not None and held.started_by == "viewer" and held.state is not CollectorState.STOPPING:
            words = "goes on recording: `spendtop` shows it, `spendtop stop` stops it."
            sys.stdout.write(f"The collector (process {held.pid}) {words}\n")

    def _elsewhere(self) -> AttachedCollector | None:
        """One on another machine, of the same PostgreSQL; while that cannot be asked, the one that was seen last."""
        from sqlalchemy.exc import DBAPIError

        from spendtop.services.stores.lease import lease_holder
        from spendtop.store.reads.configuration.applied import applied

        if self._store is None or self._store.is_sqlite:
            return None
        try:
            with self._store.reading() as connection:
                holder, by_collector = lease_holder(connection), applied(connection)
        except (DBAPIError, SpendtopError):  # the screens say by themselves that they cannot read
            return self._seen_elsewhere
        pid = holder.split(":")[1] if holder is not None and holder.count(":") > 1 else ""
        self._seen_elsewhere = None
        if pid.isdecimal():
            url = by_collector.collector.url if by_collector else None
            self._seen_elsewhere = AttachedCollector(int(pid), "ready", url, started_here=False)
        return self._seen_elsewhere

    def last_sign(self) -> int | None:
        """When the status file was written last: a collector does so every half minute."""
        if self._places is None:
            return None
        try:
            at: object = json.loads(self._places.status.read_bytes())["at"]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return at if isinstance(at, int) else None

    def _overdue_sign(self) -> int | None:
        sign = self.last_sign()
        return sign if sign is not None and time.time_ns() // 1000 - sign > _SILENT_AFTER else None

    def start_collector(self) -> None:
        """Start one with this viewer's configuration, and wait until it records. Raises NotStarted."""
        try:
            self._started = self.new_child().wait_until_ready().pid
        except NotStarted as failure:
            if not failure.already_running:
                raise

    def stop_collector(self) -> None:
        """Stop the collector and wait until it is gone."""
        held = self._here()
        if held is not None:
            stop_process(held.pid)


def require_tunnel(store: Store) -> None:
    """Raises UsageError when the collector that runs has opened none."""
    from spendtop.store.reads.configuration.applied import applied

    with store.reading() as connection:
        by_collector = applied(connection)
    if by_collector is None or not by_collector.collector.public_url:
        store.close()
        raise UsageError(
            "A collector runs already, without a tunnel. `spendtop stop` it, and start with --tunnel again."
        )


def stop_process(pid: int) -> None:
    """End a collector in order and wait for it.

    Raises NoPermission when it is another user's, and SpendtopError when it does not end in 20 s.
    """
    from spendtop.services.stores.presence import process_start

    started = process_start(pid)
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise NoPermission(f"The collector (process {pid}) is another user's. Stop it as that user.") from None
    deadline = time.monotonic() + _STOP_SECONDS
    while started and process_start(pid) == started:
        if time.monotonic() > deadline:
            raise SpendtopError(f"The collector (process {pid}) does not end. `kill -9 {pid}` does; nothing is lost.")
        time.sleep(0.05)


def _store_name(url: str) -> str:
    """What the header calls the store: this host for the usual place, else the file or the PostgreSQL database."""
    if url == default_database_url():
        return socket.gethostname()
    return Path(url.partition("///")[2]).stem if url.startswith("sqlite") else url.rpartition("@")[2].partition("?")[0]


def _own_name() -> str:
    """Who watches here, and on which terminal."""
    words = []
    with suppress(KeyError, OSError):
        words.append(getuser())
    with suppress(OSError):
        words.append(os.ttyname(sys.stdin.fileno()).removeprefix("/dev/"))
    return " ".join(words)
