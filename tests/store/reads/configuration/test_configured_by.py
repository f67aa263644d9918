"""Which files configured a store, on both databases."""

from __future__ import annotations

from msgspec.structs import replace

from spendtop.store.engine import Store
from spendtop.store.reads.configuration.configured_by import ConfiguredBy, configured_by, keep

FILES = ConfiguredBy(document="/srv/a b/spendtop.toml", env_file="/srv/a b/.env", digest="abc", at=5)


def test_each_host_remembers_its_own_files_the_newest_ones(store: Store) -> None:
    other = replace(FILES, document="/elsewhere/spendtop.toml", env_file=None)
    with store.writing() as connection:
        keep(connection, "here", replace(FILES, at=1, digest="old"))
        keep(connection, "here", FILES)
        keep(connection, "there", other)
    with store.reading() as connection:
        assert configured_by(connection, "here") == FILES
        assert configured_by(connection, "there") == other
        assert configured_by(connection, "nowhere") is None


def test_the_files_are_named_in_a_sentence() -> None:
    assert FILES.words == "/srv/a b/spendtop.toml and /srv/a b/.env"
    assert replace(FILES, document=None).words == "/srv/a b/.env"
