"""Which files configured the store: remembered for each host, as paths mean something only there."""

from __future__ import annotations

from msgspec import Struct, json
from sqlalchemy import Connection

from spendtop.store import facts

_NAME = "configured by "


class ConfiguredBy(Struct, frozen=True, kw_only=True):
    """The files of the configuration that a collector applied last on one host."""

    document: str | None
    """Absolute path of the `spendtop.toml`."""
    env_file: str | None
    """Absolute path of the `.env` of an older system that was taken."""
    digest: str
    """Of what they held."""
    at: int
    """UTC µs."""

    @property
    def words(self) -> str:
        """The files in a sentence."""
        return " and ".join(path for path in (self.document, self.env_file) if path is not None)


def keep(connection: Connection, host: str, value: ConfiguredBy) -> None:
    """Remember the files in place of those before."""
    facts.put(connection, _NAME + host, json.encode(value).decode())


def configured_by(connection: Connection, host: str) -> ConfiguredBy | None:
    """The files that configured the store on this host; None where none ever did."""
    written = facts.get(connection, _NAME + host)
    return None if written is None else json.decode(written, type=ConfiguredBy)
