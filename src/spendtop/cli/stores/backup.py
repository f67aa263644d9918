"""`spendtop db backup`, `spendtop db verify` and `spendtop db views`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from spendtop.cli.meter import metered
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.tables import say
from spendtop.domain.counted import counted
from spendtop.domain.errors import ExitCode, StoreCorrupt, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.store.backup import BackupFile, back_up
from spendtop.store.new_file import file_in_place_of, new_file
from spendtop.store.published_views import NAMES, publish
from spendtop.store.schema import head
from spendtop.store.verification import Readable, Verified, verify


def run(options: Options) -> int:
    """Back the store up into one file, beside a collector that may be recording."""
    path = Path(options.arguments.file).expanduser()
    with opened_store(load_readable(options).settings) as store:
        if store.path is not None and path.exists() and path.samefile(store.path):
            raise UsageError(f"{path} is the store itself. Name another file.")
        put = file_in_place_of if options.arguments.force else new_file
        with put(path) as part, metered("Backing up") as tell:
            verified = back_up(store, part, tell)
    megabytes = path.stat().st_size / 1_000_000
    say(f"Backed up to {path}, {megabytes:,.1f} MB: {held(verified)}.")
    return _judged(f"What {path} holds, as the store does, does not fit together", verified)


def verify_store(options: Options) -> int:
    """Look whether a store, or a backup, is whole."""
    with _readable(options) as (store, name), metered("Verifying") as tell:
        verified = verify(store, tell)
        schema = store.schema if isinstance(store, BackupFile) else head()
    code = _judged(f"{name} is not whole", verified)
    if schema != head():
        say(f"{name} is whole as a file. It is of an older spendtop; its totals are looked at once it is upgraded.")
    else:
        say(f"{name} is whole: {held(verified)}.")
    return code


def publish_views(options: Options) -> int:
    """Make the views in another schema."""
    views, schema = " and ".join(NAMES), options.arguments.schema
    with opened_store(load_readable(options).settings) as store:
        if store.is_sqlite:
            say(f"A SQLite file has no schemas: {views} are in {store.name} already.")
            return ExitCode.OK
        publish(store, schema)
    say(f"{views} are in the schema {clean_line(schema)} now. Who is to read them needs GRANT SELECT on them.")
    return ExitCode.OK


@contextmanager
def _readable(options: Options) -> Iterator[tuple[Readable, str]]:
    """The file that was named, else the store."""
    if options.arguments.file is None:
        with opened_store(load_readable(options).settings) as store:
            yield store, store.name
        return
    with closing(BackupFile(Path(options.arguments.file).expanduser())) as file:
        yield file, file.name


def _judged(what: str, verified: Verified) -> ExitCode:
    """Raises StoreCorrupt for what is not whole."""
    wrong = (*verified.damage, *verified.flaws)
    if wrong:
        raise StoreCorrupt("\n".join([f"{what}:", *wrong]))
    return ExitCode.OK


def held(verified: Verified) -> str:
    """How much there is, for people."""
    requests, days = counted(verified.requests, "request"), counted(verified.days, "day")
    return f"{requests}, {verified.bodies:,} of them with prompt and response, and the totals of {days}"
