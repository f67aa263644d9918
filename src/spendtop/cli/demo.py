"""`spendtop demo`: everything alive on a throw-away store, offline."""

from __future__ import annotations

import secrets
import socket
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from spendtop.cli import collect, view
from spendtop.cli.child import Child
from spendtop.cli.options import Options, load_settings
from spendtop.collector.demo.sample_traffic import sample_folder

_OWN = """\
[server]
port = 0
ingest_keys = {{ default = "{ingest_key}" }}

[database]
url = "sqlite:///{folder}/demo.db"

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
            return view.show(_own(options, folder), load_settings(_own(options, folder)), child, demo=True)
        finally:
            child.end()


def _collect(options: Options, folder: Path) -> int:
    from spendtop.collector.demo.simulation import sample_traffic, silent_channel

    own = _own(options, folder)
    url = urlsplit(load_settings(own).settings.channels[0].url.get_secret_value())
    with silent_channel(url.port or 0):
        return collect.run(own, {"sample traffic": sample_traffic})


def _write_config(folder: Path) -> None:
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as channel,
        closing(socket.create_server(("127.0.0.1", 0))) as billing,
    ):
        own = _OWN.format(
            folder=folder,
            secret=secrets.token_hex(32),
            ingest_key=secrets.token_hex(16),
            port=channel.getsockname()[1],
            billing_port=billing.getsockname()[1],
        )
    config = folder / "demo.toml"
    config.touch(mode=0o600)
    config.write_text(own + (sample_folder() / "demo.toml").read_text())


def _own(options: Options, folder: Path) -> Options:
    """The demo never reads or writes anything of the user's own."""
    own = replace(options, config=folder / "demo.toml", env_file=None, database_url=None)
    return replace(own, host=None, port=None, tunnel=None)
