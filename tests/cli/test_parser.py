from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.cli.commands import COMMANDS, HEADLESS, SCREENS
from spendtop.cli.options import Options
from spendtop.cli.parser import Information, parse
from spendtop.domain.errors import UsageError


def test_without_a_command_it_is_the_screens_and_with_no_ui_the_headless_collector() -> None:
    assert parse([])[0] is SCREENS
    assert parse(["--no-ui"])[0] is HEADLESS
    assert parse([])[1] == Options()


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "81", "limit", "list"],
        ["limit", "--port", "81", "list"],
        ["limit", "list", "--port", "81"],
    ],
)
def test_options_of_every_command_may_stand_anywhere(words: list[str]) -> None:
    command, options = parse(words)
    assert command is COMMANDS["limit list"]
    assert (options.command, options.port) == ("limit list", 81)


def test_options_show_no_password() -> None:
    options = parse(["--database-url", "postgresql://me:hush@host/it", "status"])[1]
    assert "hush" not in f"{options} {options!r}"


def test_an_option_given_twice_counts_as_given_last() -> None:
    assert parse(["--config", "a.toml", "check", "--config", "b.toml"])[1].config == Path("b.toml")
    assert parse(["--config", "a.toml", "check"])[1].config == Path("a.toml")


def test_options_of_a_command_may_stand_before_and_behind_its_words() -> None:
    assert parse(["delivery", "retry", "--port", "80", "5"])[1].arguments.id == 5
    assert parse(["attach", "--read-only"])[1].read_only
    assert parse(["status", "--line"])[1].arguments.line == ""
    assert parse(["status"])[1].arguments.line is None


def test_what_a_viewer_tells_its_collector_is_understood() -> None:
    _, options = parse(
        ["demo", "--folder", "/tmp/d", "--no-ui", "--started-by", "demo", "--ready-fd", "5", "--leash-fd", "7"]
    )
    assert (options.folder, options.no_ui, options.started_by) == (Path("/tmp/d"), True, "demo")
    assert (options.ready_fd, options.leash_fd) == (5, 7)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["statu"], "Did you mean 'status'?"),
        (["limit", "lst"], "Did you mean 'list'?"),
        (["limit"], "list, check"),
        (["status", "--jsno"], "Did you mean '--json'?"),
        (["check", "surplus"], "surplus"),
        (["--port", "many"], "--port"),
        (["--log-format", "xml"], "--log-format"),
        (["quarantine", "retry", "abc"], "'abc'"),
        (["--tunnel", "other"], "ngrok"),
    ],
)
def test_what_cannot_work_is_answered_with_the_nearest_thing_that_does(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(words)
    assert sentence in str(refused.value)


def test_hidden_options_are_never_suggested() -> None:
    with pytest.raises(UsageError) as refused:
        parse(["--ready"])
    assert "--ready-fd" not in str(refused.value)


def test_the_help_lists_every_command() -> None:
    with pytest.raises(Information) as told:
        parse(["--help"])
    assert all(f"  {name} " in str(told.value) for name in COMMANDS)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_help_shows_an_example(name: str) -> None:
    with pytest.raises(Information) as told:
        parse([*name.split(), "--help"])
    example = COMMANDS[name].example if name else SCREENS.example
    assert example in str(told.value)
    assert "--ready-fd" not in str(told.value)


@pytest.mark.parametrize("group", sorted({name.split()[0] for name in COMMANDS if " " in name}))
def test_the_help_of_a_group_shows_an_example_of_each_of_its_commands(group: str) -> None:
    with pytest.raises(Information) as told:
        parse([group, "--help"])
    for name, command in COMMANDS.items():
        if name.startswith(f"{group} "):
            assert command.example in " ".join(str(told.value).split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_runs_a_function(name: str) -> None:
    assert callable(COMMANDS[name].function())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_understood(name: str) -> None:
    import shlex

    words = shlex.split(COMMANDS[name].example.partition(" ||")[0])
    assert words[0] == "spendtop"
    assert parse(words[1:])[0] is COMMANDS[name]
