"""The commands about totals, limits, balances and tokens, by their words."""

from __future__ import annotations

from spendtop.cli.command import API_JSON, JSON, Command, argument
from spendtop.domain.ledger.bill_kinds import BILL_KINDS

_TOKEN = argument("token", metavar="TOKEN", help="its value, name or number")
_ACCOUNT = argument("account", metavar="ACCOUNT", help="its name, as `spendtop ledger list` has it")
_ENTRY = (
    _ACCOUNT,
    argument("amount", metavar="AMOUNT", help="US dollars, such as 25 or 42.93"),
    argument("--at", metavar="TIME", help="when it took effect: 2h, 14:00, yesterday, 2026-11-01 (default: now)"),
    argument("--note", metavar="TEXT", help="what it was about"),
)

SPENDING_COMMANDS: dict[str, Command] = {
    "status": Command(
        "spending.status",
        "One line for tmux or a prompt, from a small file that the collector keeps beside the store. Exits 0, or 10"
        " when a limit is approaching, 11 when one is exceeded.",
        "spendtop status --line '{today} {worst_name} {worst}'",
        (
            argument("--json", action="store_true", help="everything that is known, as JSON"),
            argument(
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
        "spending.spend",
        "What was spent, as a table: the last 24 hours, or from --since to --until.",
        "spendtop spend --by user,model --since 2026-11-01 --until 2026-11-07",
        (
            argument(
                "--by",
                metavar="DIMENSIONS",
                help="one or two of user, model, model_family, provider, session, token, source, day, error, project,"
                " branch or prop.NAME",
            ),
            argument(
                "--since",
                metavar="TIME",
                help="24h, 14:00, today, yesterday, week, month, 2026-11-01 or 2026-11-01T14:00",
            ),
            argument("--until", metavar="TIME", help="like --since; a date counts whole (default: now)"),
            JSON,
            argument("--csv", action="store_true", help="as CSV"),
        ),
    ),
    "limit list": Command(
        "spending.limits:show",
        "Every limit with its use, the fullest first.",
        "spendtop limit list --all",
        (API_JSON, argument("--all", action="store_true", help="also the limits that providers themselves tell of")),
    ),
    "limit check": Command(
        "spending.limits:check",
        "The limits that are approaching or exceeded. Exits 0, 10 when one is approaching, 11 when one is exceeded.",
        "spendtop limit check || echo 'slow down'",
    ),
    "limit raise": Command(
        "spending.limits:raise_for_a_while",
        "Raise a limit by an amount until an instant, for all it holds for or for one user, model, token or session.",
        "spendtop limit raise 'each user' ada +20 --until tomorrow",
        (
            argument("name", metavar="NAME", help="the limit, as `spendtop limit list` has it"),
            argument("amount", nargs="+", metavar="[ENTITY] +USD", help="for whom, if not for all, and by how much"),
            argument(
                "--until",
                required=True,
                metavar="WHEN",
                help="tonight, tomorrow, week, month, 2h, 18:00, a date, or a date with a time",
            ),
        ),
    ),
    "limit unraise": Command(
        "spending.limits:take_raises_back",
        "End what raises a limit now: the raises made for one user, model, token or session, or all of them.",
        "spendtop limit unraise 'each user' ada",
        (
            argument("name", metavar="NAME", help="the limit, as `spendtop limit list` has it"),
            argument("entity", nargs="?", metavar="ENTITY", help="only the raises that were made for it"),
        ),
    ),
    "limit backtest": Command(
        "spending.limits:try_on_the_past",
        "Try a limit on the requests that are stored: on which days it would have fired.",
        "spendtop limit backtest daily --usd 40 --days 30",
        (
            argument("name", metavar="NAME", help="the limit, as `spendtop limit list` has it"),
            argument("--usd", metavar="N", help="another amount than it has"),
            argument("--days", type=int, default=30, metavar="N", help="the last so many days (default 30)"),
            API_JSON,
        ),
    ),
    "token list": Command(
        "spending.tokens:show", "The tracking tokens with what they pushed.", "spendtop token list", (API_JSON,)
    ),
    "token create": Command(
        "spending.tokens:create",
        "Make a tracking token, the public label of an app or environment, and print how to use it.",
        "spendtop token create checkout-service",
        (
            argument("name", metavar="NAME", help="what people call it"),
            argument("--token", metavar="VALUE", help="keep the value that existing clients send"),
            argument(
                "--shadow",
                action="store_true",
                help="store and show its requests without counting them, as another source counts them already",
            ),
        ),
    ),
    "token enable": Command(
        "spending.tokens:enable", "Switch a tracking token on.", "spendtop token enable web", (_TOKEN,)
    ),
    "token disable": Command(
        "spending.tokens:disable",
        "Switch a tracking token off; what it pushed stays.",
        "spendtop token disable web",
        (_TOKEN,),
    ),
    "token delete": Command(
        "spending.tokens:delete",
        "Delete a tracking token; what it pushed stays.",
        "spendtop token delete web",
        (_TOKEN,),
    ),
    "ledger list": Command(
        "spending.ledger:show_all",
        "Every prepaid balance as it stands, and when it runs out.",
        "spendtop ledger list",
        (API_JSON,),
    ),
    "ledger show": Command(
        "spending.ledger:show",
        "One balance with what was entered, and day by day what was billed and what was seen here.",
        "spendtop ledger show openai",
        (
            _ACCOUNT,
            argument("--by", choices=BILL_KINDS, help="a day by key, user or project, beside what was seen"),
            argument("--day", metavar="DAY", help="which UTC day: 2026-11-19, today or yesterday (default)"),
            API_JSON,
        ),
    ),
    "ledger sync": Command(
        "spending.ledger:sync",
        "Enter what the provider's billing page says now; says how far the ledger was off.",
        "spendtop ledger sync openai 42.93",
        (_ACCOUNT, argument("amount", metavar="AMOUNT", help="the balance in US dollars, such as 42.93")),
    ),
    "ledger deposit": Command(
        "spending.ledger:deposit",
        "Enter credit that was bought.",
        "spendtop ledger deposit openai 50 --at yesterday",
        _ENTRY,
    ),
    "ledger refund": Command(
        "spending.ledger:refund", "Enter credit that was given back.", "spendtop ledger refund openai 3.20", _ENTRY
    ),
    "ledger expire": Command(
        "spending.ledger:expire",
        "Enter credit that expired.",
        "spendtop ledger expire openai 1.25 --note 'free grant'",
        _ENTRY,
    ),
    "ledger adjust": Command(
        "spending.ledger:adjust",
        "Enter anything else that moved a balance, positive or negative; the opposite takes an entry back.",
        "spendtop ledger adjust openai -2.50 --note 'entered twice'",
        _ENTRY,
    ),
    "ledger explain": Command(
        "spending.ledger:explain",
        "Why a provider's bill of a UTC day differs from what was seen here.",
        "spendtop ledger explain openai 2026-11-19",
        (_ACCOUNT, argument("day", metavar="DAY", help="a UTC day, such as 2026-11-19 or yesterday")),
    ),
}
