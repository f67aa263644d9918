"""The commands about what providers push and are asked for, by their words."""

from __future__ import annotations

from spendtop.cli.command import JSON, Command, argument

_URL = argument("url", metavar="URL", help="the public https address of a tunnel or proxy, on port 443")
_WHICH = argument("url", nargs="?", metavar="URL", help="only needed where several destinations lead here")

PROVIDER_COMMANDS: dict[str, Command] = {
    "helicone connect": Command(
        "providers.helicone:connect",
        "Make Helicone's webhook for the public https address that leads to the collector, and keep its signing secret"
        " in the configuration file. A webhook that is there already is used again.",
        "spendtop helicone connect https://spend.example.org",
        (
            argument("url", metavar="URL", help="the public address of a tunnel or proxy"),
            argument("--show-secret", action="store_true", help="also print the signing secret"),
        ),
    ),
    "helicone status": Command(
        "providers.helicone:status",
        "Helicone's webhooks: where they lead, what they leave out, and whether we have their secrets.",
        "spendtop helicone status",
        (JSON,),
    ),
    "helicone test": Command(
        "providers.helicone:test",
        "Have Helicone send its test event, and wait until the collector has recorded it.",
        "spendtop helicone test",
        (argument("url", nargs="?", metavar="URL", help="only needed where several webhooks lead here"),),
    ),
    "helicone disconnect": Command(
        "providers.helicone:disconnect",
        "Show and delete the webhook that leads here; others stay.",
        "spendtop helicone disconnect",
        (argument("url", nargs="?", metavar="URL", help="only needed where several webhooks lead here"),),
    ),
    "helicone backfill": Command(
        "providers.poll:backfill",
        "Have the collector read a span of Helicone's requests again, and record those that are missing. Ctrl+C stops"
        " it; asked for again, it goes on where it was.",
        "spendtop helicone backfill --since 2026-11-01 --until 2026-11-07",
        (
            argument(
                "--since",
                required=True,
                metavar="TIME",
                help="24h, 14:00, today, yesterday, week, month, 2026-11-01 or 2026-11-01T14:00",
            ),
            argument("--until", metavar="TIME", help="like --since; a date counts whole (default: now)"),
        ),
    ),
    "anthropic connect": Command(
        "providers.pushes:connect",
        "Have Anthropic push each request that it serves to the public address that leads to the collector: makes a"
        " telemetry destination with an ingest key of its own, kept in the configuration file, and tries it. One that"
        " is there already is used again and switched on. Needs admin_key under [anthropic].",
        "spendtop anthropic connect https://spend.example.org",
        (
            _URL,
            argument("--content", action="store_true", help="prompts and responses, too; without it counts only"),
            argument(
                "--workspace",
                action="append",
                metavar="ID",
                help="only requests of this workspace; may be given several times",
            ),
        ),
    ),
    "anthropic status": Command(
        "providers.pushes:status",
        "Anthropic's telemetry destinations: where they lead, whether they deliver, and the way back where not.",
        "spendtop anthropic status",
        (JSON,),
    ),
    "anthropic test": Command(
        "providers.pushes:test",
        "Have Anthropic push its test span, and wait until the collector has recorded it as a test.",
        "spendtop anthropic test",
        (_WHICH,),
    ),
    "anthropic disconnect": Command(
        "providers.pushes:disconnect",
        "Show and delete the destination that leads here; others stay.",
        "spendtop anthropic disconnect",
        (_WHICH,),
    ),
    "openrouter connect": Command(
        "providers.pushes:connect",
        "Have OpenRouter push each request that it serves, with what it charged: makes a Broadcast destination with an"
        " ingest key of its own, kept in the configuration file. One that is there already is set so and switched on."
        " Needs a management key as key of an [[account]] of openrouter.",
        "spendtop openrouter connect https://spend.example.org",
        (
            _URL,
            argument("--bodies", action="store_true", help="prompts and responses, too; without it privacy mode is on"),
        ),
    ),
    "openrouter status": Command(
        "providers.pushes:status",
        "OpenRouter's Broadcast destinations: where they lead, what they leave out, and the way back.",
        "spendtop openrouter status",
        (JSON,),
    ),
    "openrouter test": Command(
        "providers.pushes:test",
        "Say how OpenRouter tries its destination, and wait for what comes.",
        "spendtop openrouter test",
    ),
    "openrouter disconnect": Command(
        "providers.pushes:disconnect",
        "Show and delete the destination that leads here; others stay.",
        "spendtop openrouter disconnect",
        (_WHICH,),
    ),
    "poll": Command(
        "providers.poll",
        "Have the collector ask providers now, and say what came.",
        "spendtop poll helicone-api",
        (argument("name", nargs="?", metavar="NAME", help="only this poller, as `spendtop check` has it"),),
    ),
}
