"""The command line, read in two steps: which command, then its own arguments. Only the chosen command is looked at."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from spendtop.cli.command import Argument, Command
from spendtop.cli.commands import COMMANDS, HEADLESS, SCREENS
from spendtop.cli.options import Options
from spendtop.domain.errors import UsageError, nearest

_UNKNOWN = "unrecognized arguments: "
_WIDTH = 80
"""Until a help is shown: argparse loads several modules to ask the terminal."""


class Information(Exception):
    """A help text or the version, for stdout."""


def parse(argv: Sequence[str]) -> tuple[Command, Options]:
    """The chosen command and its options. Raises UsageError, and Information when that was asked for."""
    words, rest, passed = _leading_words(argv)
    name, command = _chosen(words, passed)
    if words:
        parser = _command_parser(f"spendtop {name}", command)
        parser.parse_intermixed_args(rest, passed)
    if "version" in passed:
        from spendtop import __version__

        raise Information(f"spendtop {__version__}")
    return command, _options(name, passed)


class _CommandLineParser(ArgumentParser):
    """Raises what argparse would print."""

    commands: Mapping[str, str] = {}
    """What can follow, with what it does."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix(_UNKNOWN)
        visible = [name for name, action in self._option_string_actions.items() if action.help != SUPPRESS]
        hint = "" if unknown == message else _hint(unknown.split()[0].partition("=")[0], visible)
        message = message.replace("invalid int value:", "has to be a whole number, not")
        raise UsageError(f"{message[0].upper()}{message[1:]}.{hint} See `{self.prog} --help`.")

    def print_help(self, file: object = None) -> NoReturn:
        from shutil import get_terminal_size
        from textwrap import fill

        width = get_terminal_size().columns - 2  # as argparse would have it
        self.formatter_class = partial(RawDescriptionHelpFormatter, width=width)
        self.description = fill(self.description or "", width)
        if self.commands:
            self.epilog = "\n".join(["commands:", *_lines(self.commands, width), "", self.epilog or ""])
        raise Information(self.format_help().rstrip())


def _leading_words(argv: Sequence[str]) -> tuple[list[str], list[str], Namespace]:
    """The one or two words that name a command, what follows them, and the options before them."""
    words: list[str] = []
    passed, rest = Namespace(), list(argv)
    while not words or _actions(words):
        if words and words[0] in COMMANDS and (not rest or rest[0] not in _actions(words)):
            break  # a command that is also the begin of others: `reprice`, `reprice list`
        if not rest or rest[0].startswith("-"):
            parser = _group_parser(words) if words else _root_parser()
            parser.add_argument("words", nargs="...", help=SUPPRESS)
            parser.parse_args(rest, passed)
            rest = vars(passed).pop("words")
        if not rest:
            break
        words.append(rest.pop(0))
    return words, rest, passed


def _chosen(words: Sequence[str], passed: Namespace) -> tuple[str, Command]:
    if not words:
        return "", HEADLESS if "no_ui" in passed else SCREENS
    name = " ".join(words)
    if name in COMMANDS:
        return name, COMMANDS[name]
    if actions := _actions(words[:1]):
        hint = _hint(words[1], actions) if len(words) > 1 else ""
        raise UsageError(f"`spendtop {words[0]}` does one of: {', '.join(actions)}.{hint}")
    first_words = dict.fromkeys(name.split()[0] for name in COMMANDS)
    raise UsageError(f"There is no command {words[0]!r}.{_hint(words[0], first_words)} See `spendtop --help`.")


def _actions(words: Sequence[str]) -> list[str]:
    """The second words of the commands that begin with these words, if there are any."""
    return [name.split()[1] for name in COMMANDS if name.startswith(f"{' '.join(words)} ")]


def _options(name: str, passed: Namespace) -> Options:
    values = {key: value for key, value in vars(passed).items() if key in Options._fields}
    own = {key: value for key, value in vars(passed).items() if key not in Options._fields}
    return Options(**{**values, "command": name, "arguments": Namespace(**own)})


def _root_parser() -> _CommandLineParser:
    parser = _parser("spendtop", "[options] [command]", SCREENS.help, _example(SCREENS))
    parser.commands = {name: _summary(command) for name, command in COMMANDS.items()}
    _add_everywhere(parser)
    return parser


def _group_parser(words: Sequence[str]) -> _CommandLineParser:
    commands = {name: command for name, command in COMMANDS.items() if name.split()[0] == words[0]}
    examples = [line for command in commands.values() for line in _example(command)[1:]]
    parser = _parser(
        f"spendtop {words[0]}",
        f"{{{','.join(_actions(words))}}} [options]",
        "",
        ["examples:", *examples],
    )
    parser.commands = {name.split()[1]: _summary(command) for name, command in commands.items()}
    _add_everywhere(parser)
    return parser


def _command_parser(prog: str, command: Command) -> _CommandLineParser:
    positional = [_usage(argument) for argument in command.arguments if argument.names[0][0] != "-"]
    parser = _parser(prog, " ".join([*positional, "[options]"]), command.help, _example(command))
    for argument in command.arguments:
        parser.add_argument(*argument.names, **argument.settings)
    _add_everywhere(parser)
    return parser


def _usage(argument: Argument) -> str:
    name, number = argument.settings["metavar"], argument.settings.get("nargs")
    return str({None: name, "?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}[number])


def _parser(prog: str, usage: str, description: str, ending: Sequence[str]) -> _CommandLineParser:
    return _CommandLineParser(
        prog=prog,
        usage=f"{prog} {usage}",
        description=description,
        epilog="\n".join(ending),
        formatter_class=partial(RawDescriptionHelpFormatter, width=_WIDTH),
        allow_abbrev=False,
    )


def _add_everywhere(parser: _CommandLineParser) -> None:
    """Add the options that may stand before and after a command. What is not given is as `Options` has it."""
    everywhere = parser.add_argument_group("options of every command")
    for argument in _EVERYWHERE:
        everywhere.add_argument(*argument.names, **argument.settings, default=SUPPRESS)


def _summary(command: Command) -> str:
    return f"{command.help.partition('. ')[0].rstrip('.')}."


def _lines(summaries: Mapping[str, str], width: int) -> list[str]:
    """Names with what they do in a column beside them."""
    from textwrap import wrap

    begin = max(map(len, summaries)) + 4
    lines: list[str] = []
    for name, summary in summaries.items():
        first = f"  {name:<{begin - 2}}"
        lines += wrap(summary, max(width, begin + 20), initial_indent=first, subsequent_indent=" " * begin)
    return lines


def _example(command: Command) -> list[str]:
    return ["example:", f"  {command.example}"]


def _hint(word: str, words: Iterable[str]) -> str:
    near = nearest(word, words)
    return f" Did you mean {near!r}?" if near else ""


_EVERYWHERE = (
    Argument(("--config",), {"type": Path, "metavar": "PATH", "help": "the configuration file"}),
    Argument(("--no-config",), {"action": "store_true", "help": "defaults, without any file; not remembered"}),
    Argument(("--env-file",), {"type": Path, "metavar": "PATH", "help": "a .env of the older systems"}),
    Argument(("--database-url",), {"metavar": "URL", "help": "the store: sqlite:///PATH or postgresql://..."}),
    Argument(
        ("--new-store",),
        {"action": "store_true", "help": "begin anew where the store that was there is gone or another one"},
    ),
    Argument(("--host",), {"metavar": "ADDRESS", "help": "the address to listen on"}),
    Argument(("--port",), {"type": int, "metavar": "PORT", "help": "the port to listen on"}),
    Argument(("--tunnel",), {"choices": ("ngrok",), "help": "open a public address that leads to the collector"}),
    Argument(("--no-agents",), {"action": "store_true", "help": "read no files of coding agents"}),
    Argument(("--no-ui",), {"action": "store_true", "help": "collect without a screen"}),
    Argument(("--log-format",), {"choices": ("text", "json"), "help": "how --no-ui prints"}),
    Argument(("--debug",), {"action": "store_true", "help": "log each event's way, without keys and prompts"}),
    Argument(("--slow",), {"action": "store_true", "help": "draw little, for slow lines"}),
    Argument(("--ascii",), {"action": "store_true", "help": "only ASCII characters"}),
    Argument(("--version",), {"action": "store_true", "help": "show the version and end"}),
    Argument(("--started-by",), {"help": SUPPRESS}),
    Argument(("--ready-fd",), {"type": int, "help": SUPPRESS}),
    Argument(("--leash-fd",), {"type": int, "help": SUPPRESS}),
    Argument(("--log-file",), {"type": Path, "help": SUPPRESS}),
    Argument(("--folder",), {"type": Path, "help": SUPPRESS}),
)
