"""The commands about what providers push, by their words."""

from __future__ import annotations

from spendtop.cli.command import Command, argument

_URL = argument("url", metavar="URL", help="the public https address of a tunnel or proxy, on port 443")
_WHICH = argument("url", nargs="?", metavar="URL", help="only needed where several destinations lead here")
_JSON = argument("--json", action="store_true", help="as JSON")

PUSH_COMMANDS: dict[str, Command] = {
    "anthropic connect": Command(
        "pushes:connect",
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
        "pushes:status",
        "Anthropic's telemetry destinations: where they lead, whether they deliver, and the way back where not.",
        "spendtop anthropic status",
        (_JSON,),
    ),
    "anthropic test": Command(
        "pushes:test",
        "Have Anthropic push its test span, and wait until the collector has recorded it as a test.",
        "spendtop anthropic test",
        (_WHICH,),
    ),
    "anthropic disconnect": Command(
        "pushes:disconnect",
        "Show and delete the destination that leads here; others stay.",
        "spendtop anthropic disconnect",
        (_WHICH,),
    ),
    "openrouter connect": Command(
        "pushes:connect",
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
        "pushes:status",
        "OpenRouter's Broadcast destinations: where they lead, what they leave out, and the way back.",
        "spendtop openrouter status",
        (_JSON,),
    ),
    "openrouter test": Command(
        "pushes:test",
        "Say how OpenRouter tries its destination, and wait for what comes.",
        "spendtop openrouter test",
    ),
    "openrouter disconnect": Command(
        "pushes:disconnect",
        "Show and delete the destination that leads here; others stay.",
        "spendtop openrouter disconnect",
        (_WHICH,),
    ),
}
