"""The commands about requests and sessions, by their words."""

from __future__ import annotations

from spendtop.cli.command import API_JSON, FILTER, JSON, SPAN, Command, argument

_ID = argument("id", nargs="?", type=int, metavar="ID", help="only this one; all without it")

REQUEST_COMMANDS: dict[str, Command] = {
    "requests": Command(
        "requests.requests",
        "The newest requests, as a table. `!` is the not of filters.",
        "spendtop requests user:alice 'cost>0.05' --since today",
        (
            FILTER,
            *SPAN,
            argument("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)"),
            argument("--exact", action="store_true", help="costs with all their digits"),
            JSON,
            argument("--csv", action="store_true", help="as CSV"),
            argument("--jsonl", action="store_true", help="as one JSON object per line"),
        ),
    ),
    "request": Command(
        "requests.request",
        "Everything about one request: fields, sources, corrections, and what was asked and answered.",
        "spendtop request 117637120000000000",
        (
            argument("id", metavar="ID", help="ours or its last 8 digits, or one that a source gave"),
            JSON,
            argument(
                "--fetch", action="store_true", help="let the collector fetch prompt and response from Helicone first"
            ),
        ),
    ),
    "sessions": Command(
        "requests.sessions",
        "What each session cost, whose it is and how it stands, those with the newest requests first.",
        "spendtop sessions user:alice --since today",
        (
            FILTER,
            *SPAN,
            argument("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)"),
            API_JSON,
        ),
    ),
    "session": Command(
        "requests.session",
        "What one session or job cost, by model and along its paths.",
        "spendtop session pr-8841",
        (
            argument("session", metavar="SESSION", help="the session's id"),
            argument(
                "--fetch",
                action="store_true",
                help="let the collector ask Helicone for its requests, prompts and responses first",
            ),
            API_JSON,
        ),
    ),
    "reprice": Command(
        "requests.reprice",
        "Compute stored costs anew, by the prices and readings of now. Only computed and unknown costs change, each"
        " with a revision; what was reported never does. Ctrl+C interrupts it; `spendtop reprice list` shows all runs.",
        "spendtop reprice --since 2026-11-01 --dry-run",
        (
            FILTER,
            *SPAN,
            argument("--dry-run", action="store_true", help="show the difference by day and model; change nothing"),
            argument(
                "--reported",
                action="store_true",
                help="compare reported costs with what would be computed; changes nothing",
            ),
            argument("--undo", type=int, metavar="ID", help="take a run back, as `spendtop reprice list` numbers it"),
            argument("--resume", type=int, metavar="ID", help="go on with a run that was interrupted"),
            JSON,
        ),
    ),
    "reprice list": Command(
        "requests.reprice:show_runs",
        "Every run of `reprice`: by whom, from which prices to which, and the difference.",
        "spendtop reprice list",
        (JSON,),
    ),
    "quarantine list": Command(
        "requests.quarantine:show",
        "Signed events that were kept but are not counted: not understood, or tests.",
        "spendtop quarantine list",
        (JSON,),
    ),
    "quarantine retry": Command(
        "requests.quarantine:retry",
        "Let the collector read events again that were not understood, for example after an upgrade.",
        "spendtop quarantine retry",
        (_ID,),
    ),
}
