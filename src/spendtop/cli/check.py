"""`spendtop check`: a line for everything that has to be right, with what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterator

from spendtop.cli import findings
from spendtop.cli.finding import Finding, State
from spendtop.cli.options import Options, load_settings
from spendtop.cli.tables import say, table
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.errors import ExitCode
from spendtop.domain.untrusted import clean_line


def run(options: Options) -> int:
    """Print what was found; the exit code is that of the first error. A wrong configuration is raised."""
    loaded = load_settings(options)
    found = list(_findings(loaded.settings, loaded))
    if options.arguments.probe:
        found += _probed(loaded.settings)
    say(
        table(
            ("what", "state", "found", "what to do"), [(each.subject, each.state.value, *each[2:4]) for each in found]
        )
    )
    _say_origins(loaded)
    errors = [each for each in found if each.state is State.ERROR]
    warnings = sum(each.state is State.WARNING for each in found)
    say("")
    if errors:
        say(f"{len(errors)} of {len(found)} checks failed.")
        return errors[0].code
    say(f"All checks passed, {warnings} with a warning." if warnings else "All checks passed.")
    return ExitCode.OK


def _findings(settings: Settings, loaded: Loaded) -> Iterator[Finding]:
    yield from findings.of_configuration(loaded)
    yield from findings.of_store_and_port(settings)
    yield from findings.of_keys(settings)
    yield from findings.of_channels(settings)


def _say_origins(loaded: Loaded) -> None:
    """Where values come from, never what they are: some are secrets."""
    if loaded.origins:
        say("")
        say(table(("set", "where"), [list(map(clean_line, pair)) for pair in loaded.origins.items()]))
    if loaded.old_names:
        say("")
        found = [[clean_line(text) for text in (old.name, old.place, old.effect)] for old in loaded.old_names]
        say(table(("old name", "where", "what it does here"), found))


def _probed(settings: Settings) -> Iterator[Finding]:
    from spendtop.cli.probe import probe

    for reached in probe(settings):
        name, host, port = f"probe {reached.target.name}", reached.target.host, reached.target.port
        if host is None:
            yield Finding(
                name, State.NOTE, "Apprise does not tell where it would connect to", "`spendtop channel test`"
            )
        elif reached.problem is None:
            yield Finding(name, State.OK, f"reached in {reached.milliseconds} ms")
        else:
            fix = f"see whether this machine may connect to port {port} of that service"
            yield Finding(name, State.ERROR, f"cannot be reached: {reached.problem}", fix, ExitCode.CONFIG)
