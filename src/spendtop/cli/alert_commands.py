"""The commands about alerts and the messages about them."""

from __future__ import annotations

from typing import Any

from spendtop.cli.command import Argument, Command


def _argument(*names: str, **settings: Any) -> Argument:
    return Argument(names, settings)


_ALERT = _argument("id", type=int, metavar="ID", help="the alert, as `spendtop alert list` numbers it")
_JSON = _argument("--json", action="store_true", help="as JSON, as the HTTP API answers")

ALERT_COMMANDS: dict[str, Command] = {
    "alert list": Command(
        "alerts:show",
        "Open alerts, the newest first.",
        "spendtop alert list --all",
        (_argument("--all", action="store_true", help="also those that are resolved"), _JSON),
    ),
    "alert show": Command(
        "alerts:show_one",
        "One alert: how it stands, what went out about it, and who did what.",
        "spendtop alert show 17",
        (_ALERT, _JSON),
    ),
    "alert ack": Command(
        "alerts:ack",
        "Say that you take care of an alert; it speaks again only when it gets worse or begins anew.",
        "spendtop alert ack 17",
        (_ALERT, _argument("--by", metavar="NAME", help="who takes care (default: you)")),
    ),
    "alert snooze": Command(
        "alerts:snooze",
        "Keep an alert silent for up to 7 days; what stands then is said once.",
        "spendtop alert snooze 17 4h",
        (_ALERT, _argument("time", metavar="TIME", help="for how long, such as 30m, 4h or 2d")),
    ),
    "alert unack": Command("alerts:unack", "Take an ack and a snooze back.", "spendtop alert unack 17", (_ALERT,)),
    "alert undo": Command(
        "alerts:undo",
        "Take back your last ack, snooze or silence that still stands.",
        "spendtop alert undo",
        (_argument("--by", metavar="NAME", help="whose (default: yours)"),),
    ),
    "alert silence": Command(
        "alerts:silence",
        "Keep the alerts that a filter selects from speaking; what still stands at the end is said once.",
        "spendtop alert silence 'user:ci limit:daily' --for 2h",
        (
            _argument("filter", metavar="FILTER", help="by user, model, token, session, limit, kind or severity"),
            _argument(
                "--for", metavar="TIME", dest="length", required=True, help="for how long: 30m, 4h or 2d, up to 30d"
            ),
            _argument("--by", metavar="NAME", help="who silences them (default: you)"),
        ),
    ),
    "alert unsilence": Command(
        "alerts:unsilence",
        "End a silence now.",
        "spendtop alert unsilence 3",
        (_argument("id", type=int, metavar="ID", help="the silence, as `spendtop alert silences` numbers it"),),
    ),
    "alert silences": Command(
        "alerts:show_silences", "The silences that are in force.", "spendtop alert silences", (_JSON,)
    ),
    "delivery list": Command(
        "alerts:show_deliveries",
        "Messages that wait or are dead, the newest first.",
        "spendtop delivery list --all",
        (
            _argument("--all", action="store_true", help="also those that were sent"),
            _argument("--json", action="store_true", help="as JSON"),
        ),
    ),
    "delivery retry": Command(
        "alerts:retry_deliveries",
        "Let the collector send dead messages again.",
        "spendtop delivery retry 17",
        (_argument("id", nargs="?", type=int, metavar="ID", help="only this one; all without it"),),
    ),
}
