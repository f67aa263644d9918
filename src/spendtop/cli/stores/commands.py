"""The commands about the store as a whole, by their words."""

from __future__ import annotations

from spendtop.cli.command import Command, argument

STORE_COMMANDS: dict[str, Command] = {
    "db backup": Command(
        "stores.backup",
        "Write everything that is recorded into one file, readable by you only, and look whether it is whole. A"
        " collector may go on meanwhile. SQLite and PostgreSQL give the same kind of file.",
        "spendtop db backup spendtop-backup.db",
        (
            argument("file", metavar="FILE", help="a new file; it is there once it is complete"),
            argument("--force", action="store_true", help="replace the file"),
        ),
    ),
    "db verify": Command(
        "stores.backup:verify_store",
        "Look whether the store, or a backup, is whole: the file, its tables, every prompt and response, and whether"
        " the totals are what the requests add up to. Exits 65 when it is not. A collector may go on meanwhile.",
        "spendtop db verify spendtop-backup.db",
        (argument("file", nargs="?", metavar="FILE", help="a backup; without it the store"),),
    ),
    "db restore": Command(
        "stores.restore",
        "Put a backup in the store's place, on SQLite or PostgreSQL; no collector may run. What the store held is kept"
        " under a dated name.",
        "spendtop db restore spendtop-backup.db --force",
        (
            argument("file", metavar="FILE", help="what `spendtop db backup` wrote"),
            argument("--force", action="store_true", help="also where something is recorded already"),
        ),
    ),
    "db views": Command(
        "stores.backup:publish_views",
        "Make the read-only views `requests` and `llm_usage` in another schema of the store's PostgreSQL, where queries"
        " of older systems look for them. What is there by these names is left, and the command exits 2. A collector"
        " may go on meanwhile.",
        "spendtop db views --schema public",
        (argument("--schema", metavar="NAME", default="public", help="where to make them; without it in public"),),
    ),
    "db move": Command(
        "stores.restore:move",
        "Copy the whole store to another file or PostgreSQL, and say how to use it from then on; no collector may run."
        " The old store stays as it is.",
        "spendtop db move postgresql://spendtop@db.example.org/spendtop",
        (
            argument(
                "url",
                metavar="URL",
                help="sqlite:///PATH or postgresql://USER@HOST/NAME; with a password only as env:NAME or file:PATH",
            ),
            argument("--force", action="store_true", help="also where something is recorded already; that is kept"),
        ),
    ),
}
