"""The commands about alerts and the messages about them, by their words."""

from __future__ import annotations

from spendtop.cli.command import API_JSON, JSON, Command, argument

_ALERT = argument("id", type=int, metavar="ID", help="the alert, as `spendtop alert list` numbers it")

ALERT_COMMANDS: dict[str, Command] = {
    "alert list": Command(
        "alerts.alerts:show",
        "Open alerts, the newest first.",
        "spendtop alert list --all",
        (argument("--all", action="store_true", help="also those that are resolved"), API_JSON),
    ),
    "alert show": Command(
        "alerts.alerts:show_one",
        "One alert: how it stands, what went out about it, and who did what.",
        "spendtop alert show 17",
        (_ALERT, API_JSON),
    ),
    "alert ack": Command(
        "alerts.alerts:ack",
        "Say that you take care of an alert; it speaks again only when it gets worse or begins anew.",
        "spendtop alert ack 17",
        (_ALERT, argument("--by", metavar="NAME", help="who takes care (default: you)")),
    ),
    "alert snooze": Command(
        "alerts.alerts:snooze",
        "Keep an alert silent for up to 7 days; what stands then is said once.",
        "spendtop alert snooze 17 4h",
        (_ALERT, argument("time", metavar="TIME", help="for how long, such as 30m, 4h or 2d")),
    ),
    "alert unack": Command(
        "alerts.alerts:unack", "Take an ack and a snooze back.", "spendtop alert unack 17", (_ALERT,)
    ),
    "alert undo": Command(
        "alerts.alerts:undo",
        "Take back your last ack, snooze or silence that still stands.",
        "spendtop alert undo",
        (argument("--by", metavar="NAME", help="whose (default: yours)"),),
    ),
    "alert silence": Command(
        "alerts.alerts:silence",
        "Keep the alerts that a filter selects from speaking; what still stands at the end is said once.",
        "spendtop alert silence 'user:ci limit:daily' --for 2h",
        (
            argument("filter", metavar="FILTER", help="by user, model, token, session, limit, kind or severity"),
            argument(
                "--for", metavar="TIME", dest="length", required=True, help="for how long: 30m, 4h or 2d, up to 30d"
            ),
            argument("--by", metavar="NAME", help="who silences them (default: you)"),
        ),
    ),
    "alert unsilence": Command(
        "alerts.alerts:unsilence",
        "End a silence now.",
        "spendtop alert unsilence 3",
        (argument("id", type=int, metavar="ID", help="the silence, as `spendtop alert silences` numbers it"),),
    ),
    "alert silences": Command(
        "alerts.alerts:show_silences", "The silences that are in force.", "spendtop alert silences", (API_JSON,)
    ),
    "delivery list": Command(
        "alerts.alerts:show_deliveries",
        "Messages that wait or are dead, the newest first.",
        "spendtop delivery list --all",
        (
            argument("--all", action="store_true", help="also those that were sent"),
            JSON,
        ),
    ),
    "delivery retry": Command(
        "alerts.alerts:retry_deliveries",
        "Let the collector send dead messages again.",
        "spendtop delivery retry 17",
        (argument("id", nargs="?", type=int, metavar="ID", help="only this one; all without it"),),
    ),
    "channel list": Command(
        "alerts.channels:show", "The channels, their kinds and what is wrong.", "spendtop channel list", (JSON,)
    ),
    "channel test": Command(
        "alerts.channels:test",
        "Send a test message from here to one channel, or to all; no collector is needed.",
        "spendtop channel test ops",
        (argument("name", nargs="?", metavar="NAME", help="only this one; all without it"),),
    ),
}
