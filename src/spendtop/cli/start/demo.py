"""`spendtop demo`: everything alive on a throw-away store, offline."""

from __future__ import annotations

import secrets
import socket
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from spendtop.cli.options import Options, load_settings
from spendtop.cli.start import view
from spendtop.cli.start.child import Child
from spendtop.collector.demo.sample_files import CONFIG, sample_file
from spendtop.collector.demo.sample_month import unpack

_OWN = """\
[server]
port = 0
ingest_keys = {{ default = "{ingest_key}" }}

[database]
url = "sqlite:///{folder}/{store}"

[helicone]
webhook_secrets = ["{secret}"]

[openai]
admin_key = "sk-admin-{ingest_key}"
base_url = "http://127.0.0.1:{billing_port}"

[[channel]]
name = "demo"
url = "json://127.0.0.1:{port}/"

"""
"""What the demo adds to the sample configuration: a store, secrets, a channel and a provider that only it knows."""

_STORE = "demo.db"
_SCREENS = ("spendtop.tui.app", "spendtop.tui.overview.screen", "spendtop.tui.overview.questions")
_CLEARED = "\r\x1b[K"
"""What takes the line of progress away."""


def run(options: Options) -> int:
    """Show the demo, or with `--no-ui` print it; the store is gone afterwards."""
    if options.folder is not None:
        return _collect(options, options.folder)
    if not options.no_ui:
        view.require_terminal()
    with tempfile.TemporaryDirectory(prefix="spendtop-demo-") as name:
        folder = Path(name)
        _write_config(folder)
        if options.no_ui:
            return _collect(options, folder)
        command = ["demo", "--folder", name, *(["--debug"] if options.debug else [])]
        child = Child(command, "demo", folder / "collector.log", leash=True)
        try:
            return _show(_own(options, folder), child)
        finally:
            child.end()


def _show(options: Options, child: Child) -> int:
    """The screens, once there is something on them."""
    _say_filled(0.0)
    for module in _SCREENS:  # while the other process fills the store
        import_module(module)
    loaded = load_settings(options)
    child.wait_until_ready(_say_filled)
    sys.stderr.write(_CLEARED)
    return view.show(options, loaded, child, demo=True)


def _say_filled(share: float) -> None:
    sys.stderr.write(f"{_CLEARED}Filling a throw-away store with a month of made-up traffic: {int(share * 100)} %")
    sys.stderr.flush()


def _collect(options: Options, folder: Path) -> int:
    own, now = _own(options, folder), time.time_ns() // 1000
    with ThreadPoolExecutor(1) as aside:
        unpacked = aside.submit(unpack, folder / _STORE, now)
        from spendtop.cli.start import collect
        from spendtop.collector.demo.sample_agents import sample_agents
        from spendtop.collector.demo.simulation import fill, sample_traffic, silent_channel
        from spendtop.collector.process.lifecycle import tell_share
        from spendtop.store.engine import Store

        unpacked.result()
    settings = load_settings(own).settings
    with closing(Store(settings.database.url.get_secret_value())) as store:
        fill(store, settings, now, partial(tell_share, options.ready_fd))
    url = urlsplit(settings.channels[0].url.get_secret_value())
    with silent_channel(url.port or 0):
        return collect.run(own, {"sample traffic": sample_traffic, "sample agents": sample_agents(folder)})


def _write_config(folder: Path) -> None:
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as channel,
        closing(socket.create_server(("127.0.0.1", 0))) as billing,
    ):
        own = _OWN.format(
            folder=folder,
            store=_STORE,
            secret=secrets.token_hex(32),
            ingest_key=secrets.token_hex(16),
            port=channel.getsockname()[1],
            billing_port=billing.getsockname()[1],
        )
    config = folder / "demo.toml"
    config.touch(mode=0o600)
    config.write_text(own + sample_file(CONFIG).read_text())


def _own(options: Options, folder: Path) -> Options:
    """The demo never reads or writes anything of the user's own."""
    own = options._replace(config=folder / "demo.toml", env_file=None, database_url=None)
    return own._replace(host=None, port=None, tunnel=None)
