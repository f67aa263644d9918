"""`spendtop check`: a line for everything that has to be right, with what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterator

from spendtop.cli import findings
from spendtop.cli.findings import Finding, FindingState
from spendtop.cli.options import Options, load_settings
from spendtop.cli.tables import say, table
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.errors import ExitCode
from spendtop.domain.untrusted import clean_line


def run(options: Options) -> int:
    """Print all findings; the exit code is that of the first error. A wrong configuration is raised."""
    loaded = load_settings(options)
    checked = list(_findings(loaded.settings, loaded))
    if options.arguments.probe:
        checked += _probed(loaded.settings)
    rows = [(each.subject, each.state.value, each.text, each.fix) for each in checked]
    say(table(("what", "state", "found", "what to do"), rows))
    _say_origins(loaded)
    errors = [each for each in checked if each.state is FindingState.ERROR]
    warnings = sum(each.state is FindingState.WARNING for each in checked)
    say("")
    if errors:
        say(f"{len(errors)} of {len(checked)} checks failed.")
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
        names = [[clean_line(text) for text in (old.name, old.place, old.effect)] for old in loaded.old_names]
        say(table(("old name", "where", "what it does here"), names))


def _probed(settings: Settings) -> Iterator[Finding]:
    from spendtop.cli.probe import probe

    for reached in probe(settings):
        name, host, port = f"probe {reached.target.name}", reached.target.host, reached.target.port
        if host is None:
            yield Finding(
                name, FindingState.NOTE, "Apprise does not tell where it would connect to", "`spendtop channel test`"
            )
        elif reached.problem is None:
            yield Finding(name, FindingState.OK, f"reached in {reached.milliseconds} ms")
        else:
            fix = f"see whether this machine may connect to port {port} of that service"
            yield Finding(name, FindingState.ERROR, f"cannot be reached: {reached.problem}", fix, ExitCode.CONFIG)
