"""The commands, by their words."""

from __future__ import annotations

from typing import Any

from spendtop.cli.alert_commands import ALERT_COMMANDS
from spendtop.cli.command import FILTER, SPAN, Argument, Command
from spendtop.cli.database_commands import DATABASE_COMMANDS
from spendtop.cli.exchange_commands import EXCHANGE_COMMANDS
from spendtop.cli.push_commands import PUSH_COMMANDS
from spendtop.domain.ledger.amounts import BILL_KINDS


def _argument(*names: str, **settings: Any) -> Argument:
    return Argument(names, settings)


_ID = _argument("id", nargs="?", type=int, metavar="ID", help="only this one; all without it")
_TOKEN = _argument("token", metavar="TOKEN", help="its value, name or number")
_ACCOUNT = _argument("account", metavar="ACCOUNT", help="its name, as `spendtop ledger list` has it")
_ENTRY = (
    _ACCOUNT,
    _argument("amount", metavar="AMOUNT", help="US dollars, such as 25 or 42.93"),
    _argument("--at", metavar="TIME", help="when it took effect: 2h, 14:00, yesterday, 2026-11-01 (default: now)"),
    _argument("--note", metavar="TEXT", help="what it was about"),
)

_LISTED_AS_JSON = _argument("--json", action="store_true", help="as JSON")
_JSON = _argument("--json", action="store_true", help="as JSON, as the HTTP API answers")

SCREENS = Command(
    "view",
    "htop for the LLM bill: live spend, limits and alerts. Without a command it shows the screens, and starts a"
    " collector where none holds the store.",
    "spendtop --port 9000",
)
"""What runs without a command."""

HEADLESS = Command("collect", "Collect in the foreground, without a screen.", "spendtop --no-ui --log-format json")
"""What runs without a command, but with `--no-ui`."""

COMMANDS: dict[str, Command] = {
    "attach": Command(
        "view",
        "Watch a store without collecting for it.",
        "spendtop attach --read-only",
        (_argument("--read-only", action="store_true", help="change nothing in the store"),),
    ),
    "stop": Command("view:stop", "Stop the collector that holds this store.", "spendtop stop"),
    "demo": Command(
        "demo",
        "Show everything alive on a throw-away store, offline.",
        "spendtop demo --no-ui",
    ),
    "init": Command(
        "init",
        "Write a commented spendtop.toml (0600) with fresh keys, or with what an old .env says, into the user's"
        " configuration folder, where every start finds it.",
        "spendtop init --from-env",
        (
            _argument("--from-env", action="store_true", help="take over the old .env; nothing is asked"),
            _argument("--here", action="store_true", help="write it into this folder"),
        ),
    ),
    "check": Command(
        "check",
        "Check configuration, store, port, keys and channels: a line each, with what to do.",
        "spendtop check --probe",
        (_argument("--probe", action="store_true", help="also see whether providers and channels can be reached"),),
    ),
    "send-test": Command(
        "send_test",
        "Sign realistic webhooks, post them to the running collector or to URL, and say what came back. They are"
        " recorded like real ones, with a mark by which --remove takes them out again.",
        "spendtop send-test https://spend.example.org --count 20 --rate 5",
        (
            _argument("url", nargs="?", metavar="URL", help="where to post; without it the running collector"),
            _argument("--count", type=int, default=1, metavar="N", help="how many (default 1)"),
            _argument("--rate", type=float, default=10.0, metavar="R", help="at most this many a second (default 10)"),
            _argument("--keep", action="store_true", help="without the mark by which --remove finds them"),
            _argument(
                "--remove", action="store_true", help="take those sent before out of every figure; sends nothing"
            ),
        ),
    ),
    "helicone connect": Command(
        "helicone:connect",
        "Make Helicone's webhook for the public https address that leads to the collector, and keep its signing secret"
        " in the configuration file. A webhook that is there already is used again.",
        "spendtop helicone connect https://spend.example.org",
        (
            _argument("url", metavar="URL", help="the public address of a tunnel or proxy"),
            _argument("--show-secret", action="store_true", help="also print the signing secret"),
        ),
    ),
    "helicone status": Command(
        "helicone:status",
        "Helicone's webhooks: where they lead, what they leave out, and whether we have their secrets.",
        "spendtop helicone status",
        (_LISTED_AS_JSON,),
    ),
    "helicone test": Command(
        "helicone:test",
        "Have Helicone send its test event, and wait until the collector has recorded it.",
        "spendtop helicone test",
        (_argument("url", nargs="?", metavar="URL", help="only needed where several webhooks lead here"),),
    ),
    "helicone disconnect": Command(
        "helicone:disconnect",
        "Show and delete the webhook that leads here; others stay.",
        "spendtop helicone disconnect",
        (_argument("url", nargs="?", metavar="URL", help="only needed where several webhooks lead here"),),
    ),
    "helicone backfill": Command(
        "poll:backfill",
        "Have the collector read a span of Helicone's requests again, and record those that are missing. Ctrl+C stops"
        " it; asked for again, it goes on where it was.",
        "spendtop helicone backfill --since 2026-11-01 --until 2026-11-07",
        (
            _argument(
                "--since",
                required=True,
                metavar="TIME",
                help="24h, 14:00, today, yesterday, week, month, 2026-11-01 or 2026-11-01T14:00",
            ),
            _argument("--until", metavar="TIME", help="like --since; a date counts whole (default: now)"),
        ),
    ),
    **PUSH_COMMANDS,
    "poll": Command(
        "poll",
        "Have the collector ask providers now, and say what came.",
        "spendtop poll helicone-api",
        (_argument("name", nargs="?", metavar="NAME", help="only this poller, as `spendtop check` has it"),),
    ),
    "status": Command(
        "status",
        "One line for tmux or a prompt, from a small file that the collector keeps beside the store. Exits 0, or 10"
        " when a limit is approaching, 11 when one is exceeded.",
        "spendtop status --line '{today} {worst_name} {worst}'",
        (
            _argument("--json", action="store_true", help="everything that is known, as JSON"),
            _argument(
                "--line",
                nargs="?",
                const="",
                metavar="FORMAT",
                help="{today} {hour} {plan} {unpriced} {failed} {requests} {worst} {worst_name} {reaches} {state} {age}"
                " {undelivered} {collector} {standing} {remark} in your own words;"
                " {plan} is what agents used under plans, {reaches} about when {worst_name} is full,"
                " {state} is stale when nobody collects",
            ),
        ),
    ),
    "spend": Command(
        "spend",
        "What was spent, as a table: the last 24 hours, or from --since to --until.",
        "spendtop spend --by user,model --since 2026-11-01 --until 2026-11-07",
        (
            _argument(
                "--by",
                metavar="DIMENSIONS",
                help="one or two of user, model, model_family, provider, session, token, source, day, error, project,"
                " branch or prop.NAME",
            ),
            _argument(
                "--since",
                metavar="TIME",
                help="24h, 14:00, today, yesterday, week, month, 2026-11-01 or 2026-11-01T14:00",
            ),
            _argument("--until", metavar="TIME", help="like --since; a date counts whole (default: now)"),
            _argument("--json", action="store_true", help="as JSON"),
            _argument("--csv", action="store_true", help="as CSV"),
        ),
    ),
    **EXCHANGE_COMMANDS,
    "requests": Command(
        "requests",
        "The newest requests, as a table. `!` is the not of filters.",
        "spendtop requests user:alice 'cost>0.05' --since today",
        (
            FILTER,
            *SPAN,
            _argument("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)"),
            _argument("--exact", action="store_true", help="costs with all their digits"),
            _argument("--json", action="store_true", help="as JSON"),
            _argument("--csv", action="store_true", help="as CSV"),
            _argument("--jsonl", action="store_true", help="as one JSON object per line"),
        ),
    ),
    "sessions": Command(
        "sessions",
        "What each session cost, whose it is and how it stands, those with the newest requests first.",
        "spendtop sessions user:alice --since today",
        (
            FILTER,
            *SPAN,
            _argument("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)"),
            _JSON,
        ),
    ),
    "session": Command(
        "session",
        "What one session or job cost, by model and along its paths.",
        "spendtop session pr-8841",
        (
            _argument("session", metavar="SESSION", help="the session's id"),
            _argument(
                "--fetch",
                action="store_true",
                help="let the collector ask Helicone for its requests, prompts and responses first",
            ),
            _JSON,
        ),
    ),
    "request": Command(
        "request",
        "Everything about one request: fields, sources, corrections, and what was asked and answered.",
        "spendtop request 117637120000000000",
        (
            _argument("id", metavar="ID", help="ours or its last 8 digits, or one that a source gave"),
            _argument("--json", action="store_true", help="as JSON"),
            _argument(
                "--fetch", action="store_true", help="let the collector fetch prompt and response from Helicone first"
            ),
        ),
    ),
    "reprice": Command(
        "reprice",
        "Compute stored costs anew, by the prices and readings of now. Only computed and unknown costs change, each"
        " with a revision; what was reported never does. Ctrl+C interrupts it; `spendtop reprice list` shows all runs.",
        "spendtop reprice --since 2026-11-01 --dry-run",
        (
            FILTER,
            *SPAN,
            _argument("--dry-run", action="store_true", help="show the difference by day and model; change nothing"),
            _argument(
                "--reported",
                action="store_true",
                help="compare reported costs with what would be computed; changes nothing",
            ),
            _argument("--undo", type=int, metavar="ID", help="take a run back, as `spendtop reprice list` numbers it"),
            _argument("--resume", type=int, metavar="ID", help="go on with a run that was interrupted"),
            _argument("--json", action="store_true", help="as JSON"),
        ),
    ),
    "reprice list": Command(
        "reprice:show_runs",
        "Every run of `reprice`: by whom, from which prices to which, and the difference.",
        "spendtop reprice list",
        (_argument("--json", action="store_true", help="as JSON"),),
    ),
    "limit list": Command(
        "limits:show",
        "Every limit with its use, the fullest first.",
        "spendtop limit list --all",
        (_JSON, _argument("--all", action="store_true", help="also the limits that providers themselves tell of")),
    ),
    "limit check": Command(
        "limits:check",
        "The limits that are approaching or exceeded. Exits 0, 10 when one is approaching, 11 when one is exceeded.",
        "spendtop limit check || echo 'slow down'",
    ),
    "limit raise": Command(
        "limits:raise_for_a_while",
        "Raise a limit by an amount until an instant, for all it holds for or for one user, model, token or session.",
        "spendtop limit raise 'each user' ada +20 --until tomorrow",
        (
            _argument("name", metavar="NAME", help="the limit, as `spendtop limit list` has it"),
            _argument("amount", nargs="+", metavar="[ENTITY] +USD", help="for whom, if not for all, and by how much"),
            _argument(
                "--until",
                required=True,
                metavar="WHEN",
                help="tonight, tomorrow, week, month, 2h, 18:00, a date, or a date with a time",
            ),
        ),
    ),
    "limit unraise": Command(
        "limits:take_raises_back",
        "End what raises a limit now: the raises made for one user, model, token or session, or all of them.",
        "spendtop limit unraise 'each user' ada",
        (
            _argument("name", metavar="NAME", help="the limit, as `spendtop limit list` has it"),
            _argument("entity", nargs="?", metavar="ENTITY", help="only the raises that were made for it"),
        ),
    ),
    "limit backtest": Command(
        "limits:try_on_the_past",
        "Try a limit on the requests that are stored: on which days it would have fired.",
        "spendtop limit backtest daily --usd 40 --days 30",
        (
            _argument("name", metavar="NAME", help="the limit, as `spendtop limit list` has it"),
            _argument("--usd", metavar="N", help="another amount than it has"),
            _argument("--days", type=int, default=30, metavar="N", help="the last so many days (default 30)"),
            _JSON,
        ),
    ),
    **ALERT_COMMANDS,
    "agents": Command(
        "agents:show",
        "What was found of coding agents on this machine: folders, files, calls, and what could not be read."
        " `spendtop agents rescan` has all of it read again, `spendtop agents connect claude-code` prints the"
        " settings by which an agent tells more, `spendtop agents push https://spend.example.org` sends it elsewhere.",
        "spendtop agents",
        (_JSON,),
    ),
    "agents connect": Command(
        "agent_connection",
        "Print the settings by which an agent exports its calls here: its final outputs, users and failures.",
        "spendtop agents connect claude-code",
        (
            _argument("name", metavar="NAME", choices=("claude-code", "codex", "gemini-cli"), help="the agent"),
            _argument("--write", action="store_true", help="write them into its file, and keep that of before as .bak"),
        ),
    ),
    "agents push": Command(
        "agent_push",
        "Send all calls that coding agents keep on this machine to another collector, once: counts and names, nothing"
        " of a conversation. What it knows already counts once. The key is push_key under [agents].",
        "spendtop agents push https://spend.example.org",
        (_argument("url", nargs="?", metavar="URL", help="its address; without it push_to under [agents]"),),
    ),
    "agents rescan": Command(
        "agents:rescan", "Have all files of coding agents read again; no call counts twice.", "spendtop agents rescan"
    ),
    "statusline": Command(
        "statusline",
        "Claude Code's status line: takes its JSON on stdin, prints model, session, today and how much of the plan's"
        " windows is used, and keeps that for the screens. In its settings.json:"
        ' "statusLine": {"type": "command", "command": "spendtop statusline"}',
        "spendtop statusline",
    ),
    "token list": Command("tokens:show", "The tracking tokens with what they pushed.", "spendtop token list", (_JSON,)),
    "token create": Command(
        "tokens:create",
        "Make a tracking token, the public label of an app or environment, and print how to use it.",
        "spendtop token create checkout-service",
        (
            _argument("name", metavar="NAME", help="what people call it"),
            _argument("--token", metavar="VALUE", help="keep the value that existing clients send"),
            _argument(
                "--shadow",
                action="store_true",
                help="store and show its requests without counting them, as another source counts them already",
            ),
        ),
    ),
    "client": Command(
        "client",
        "Print the client for Python that an application copies: one file, for which spendtop need not be installed.",
        "spendtop client",
    ),
    "token enable": Command("tokens:enable", "Switch a tracking token on.", "spendtop token enable web", (_TOKEN,)),
    "token disable": Command(
        "tokens:disable", "Switch a tracking token off; what it pushed stays.", "spendtop token disable web", (_TOKEN,)
    ),
    "token delete": Command(
        "tokens:delete", "Delete a tracking token; what it pushed stays.", "spendtop token delete web", (_TOKEN,)
    ),
    "ledger list": Command(
        "ledger:show_all",
        "Every prepaid balance as it stands, and when it runs out.",
        "spendtop ledger list",
        (_JSON,),
    ),
    "ledger show": Command(
        "ledger:show",
        "One balance with what was entered, and day by day what was billed and what was seen here.",
        "spendtop ledger show openai",
        (
            _ACCOUNT,
            _argument("--by", choices=BILL_KINDS, help="a day by key, user or project, beside what was seen"),
            _argument("--day", metavar="DAY", help="which UTC day: 2026-11-19, today or yesterday (default)"),
            _JSON,
        ),
    ),
    "ledger sync": Command(
        "ledger:sync",
        "Enter what the provider's billing page says now; says how far the ledger was off.",
        "spendtop ledger sync openai 42.93",
        (_ACCOUNT, _argument("amount", metavar="AMOUNT", help="the balance in US dollars, such as 42.93")),
    ),
    "ledger deposit": Command(
        "ledger:deposit", "Enter credit that was bought.", "spendtop ledger deposit openai 50 --at yesterday", _ENTRY
    ),
    "ledger refund": Command(
        "ledger:refund", "Enter credit that was given back.", "spendtop ledger refund openai 3.20", _ENTRY
    ),
    "ledger expire": Command(
        "ledger:expire", "Enter credit that expired.", "spendtop ledger expire openai 1.25 --note 'free grant'", _ENTRY
    ),
    "ledger adjust": Command(
        "ledger:adjust",
        "Enter anything else that moved a balance, positive or negative; the opposite takes an entry back.",
        "spendtop ledger adjust openai -2.50 --note 'entered twice'",
        _ENTRY,
    ),
    "ledger explain": Command(
        "ledger:explain",
        "Why a provider's bill of a UTC day differs from what was seen here.",
        "spendtop ledger explain openai 2026-11-19",
        (_ACCOUNT, _argument("day", metavar="DAY", help="a UTC day, such as 2026-11-19 or yesterday")),
    ),
    "quarantine list": Command(
        "quarantine:show",
        "Signed events that were kept but are not counted: not understood, or tests.",
        "spendtop quarantine list",
        (_LISTED_AS_JSON,),
    ),
    "quarantine retry": Command(
        "quarantine:retry",
        "Let the collector read events again that were not understood, for example after an upgrade.",
        "spendtop quarantine retry",
        (_ID,),
    ),
    "channel list": Command(
        "channels:show", "The channels, their kinds and what is wrong.", "spendtop channel list", (_LISTED_AS_JSON,)
    ),
    "channel test": Command(
        "channels:test",
        "Send a test message from here to one channel, or to all; no collector is needed.",
        "spendtop channel test ops",
        (_argument("name", nargs="?", metavar="NAME", help="only this one; all without it"),),
    ),
    **DATABASE_COMMANDS,
    "deploy": Command(
        "deploy",
        "Print a file to run it as a service: a systemd unit, a nightly backup for it, a Dockerfile, a compose file, a"
        " Cloud Run service, or nginx with TLS in front. Its first lines say where it goes.",
        "spendtop deploy systemd",
        (
            _argument(
                "kind",
                metavar="KIND",
                help="systemd, backup-service, backup-timer, docker, compose, cloudrun or nginx",
            ),
            _argument("--plain", action="store_true", help="compose without a domain: one service on a local port"),
        ),
    ),
}
"""Every command by its one or two words."""
