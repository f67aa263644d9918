"""The commands of a first day, by their words."""

from __future__ import annotations

from spendtop.cli.command import Command, argument

SETUP_COMMANDS: dict[str, Command] = {
    "init": Command(
        "setup.init",
        "Write a commented spendtop.toml (0600) with fresh keys, or with what an old .env says, into the user's"
        " configuration folder, where every start finds it.",
        "spendtop init --from-env",
        (
            argument("--from-env", action="store_true", help="take over the old .env; nothing is asked"),
            argument("--here", action="store_true", help="write it into this folder"),
        ),
    ),
    "check": Command(
        "setup.check",
        "Check configuration, store, port, keys and channels: a line each, with what to do.",
        "spendtop check --probe",
        (argument("--probe", action="store_true", help="also see whether providers and channels can be reached"),),
    ),
    "send-test": Command(
        "setup.send_test",
        "Sign realistic webhooks, post them to the running collector or to URL, and say what came back. They are"
        " recorded like real ones, with a mark by which --remove takes them out again.",
        "spendtop send-test https://spend.example.org --count 20 --rate 5",
        (
            argument("url", nargs="?", metavar="URL", help="where to post; without it the running collector"),
            argument("--count", type=int, default=1, metavar="N", help="how many (default 1)"),
            argument("--rate", type=float, default=10.0, metavar="R", help="at most this many a second (default 10)"),
            argument("--keep", action="store_true", help="without the mark by which --remove finds them"),
            argument("--remove", action="store_true", help="take those sent before out of every figure; sends nothing"),
        ),
    ),
    "client": Command(
        "setup.client",
        "Print the client for Python that an application copies: one file, for which spendtop need not be installed.",
        "spendtop client",
    ),
    "schema": Command(
        "setup.schema",
        "Print the JSON Schema of spendtop.toml, by which an editor completes and checks it.",
        "spendtop schema",
    ),
    "deploy": Command(
        "setup.deploy",
        "Print a file to run it as a service: a systemd unit, a nightly backup for it, a Dockerfile, a compose file, a"
        " Cloud Run service, or nginx with TLS in front. Its first lines say where it goes.",
        "spendtop deploy systemd",
        (
            argument(
                "kind",
                metavar="KIND",
                help="systemd, backup-service, backup-timer, docker, compose, cloudrun or nginx",
            ),
            argument("--plain", action="store_true", help="compose without a domain: one service on a local port"),
        ),
    ),
}
