"""`spendtop agents` and `agents rescan`."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.options import Options, load_readable, made_store, opened_store
from spendtop.cli.tables import local_time, say, table
from spendtop.config.paths import data_folder
from spendtop.domain.agents.plan_windows import PlanWindow
from spendtop.domain.clock import age, to_iso
from spendtop.domain.cost_words import cost_words
from spendtop.domain.counted import counted
from spendtop.domain.errors import ExitCode
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import TEXT_LIMIT, clean_line
from spendtop.domain.windows import Calendar
from spendtop.services.agents import files as agent_files
from spendtop.services.agents import plan_windows
from spendtop.services.agents import spool as agent_spool
from spendtop.services.agents.files import AgentUse, PushedUse, RootLook, left_out_words
from spendtop.services.agents.spool import PushState

_HEADERS = ("agent", "folder", ">files", ">calls", "oldest", ">spend", ">API-equivalent", "looked at")
_NOTHING = AgentUse(calls=0, oldest=None, newest=None, cost=Usd(0), api_equivalent=Usd(0), unpriced=0, lower_bounds=0)


def show(options: Options) -> int:
    settings = load_readable(options).settings
    with opened_store(settings) as store, store.reading() as connection:
        calendar = effective_limits(connection, settings).calendar
        looks = agent_files.looks(connection, socket.gethostname())
        uses = agent_files.uses(connection)
        pushed = agent_files.pushed(connection, socket.gethostname())
        pushes = agent_spool.state(connection, socket.gethostname())
        windows = plan_windows.known(connection, socket.gethostname(), data_folder())
    if options.arguments.json:
        items = [_item(look, uses.get(look.agent, _NOTHING)) for look in looks]
        answer = {
            "data": items,
            "elsewhere": [_pushed_item(use) for use in pushed],
            "push": _push_item(pushes),
            "windows": [_window_item(window) for window in windows],
        }
        say(json.dumps(answer))
        return ExitCode.OK
    if looks:
        _say_folders(looks, uses, calendar)
    elif not pushed:
        say("No files of coding agents were found here. A running collector looks for them in your home folder.")
    for use in pushed:
        newest = local_time(use.newest, calendar)
        say(f"{use.agent} on {clean_line(use.host)}: {counted(use.calls, 'call')}, the newest {newest}.")
    for window in windows:
        say(_window_words(window, calendar))
    if pushes.to:
        say(clean_line(pushes.words, TEXT_LIMIT))
    return ExitCode.OK


def _window_words(window: PlanWindow, calendar: Calendar) -> str:
    said = f"said {age(max(now() - window.at, 0))} ago"
    if not window.stands(now()):
        return (
            f"{window.agent}, {window.name} window of the plan: another one has begun since the provider spoke, {said}."
        )
    until = "" if window.resets_at is None else f" until {local_time(window.resets_at, calendar)}"
    return f"{window.agent}, {window.name} window of the plan: {window.used_percent:.0f} % used{until}, {said}."


def _say_folders(looks: Sequence[RootLook], uses: Mapping[str, AgentUse], calendar: Calendar) -> None:
    rows = []
    for look in looks:
        use = uses.get(look.agent, _NOTHING)
        rows.append(
            (
                look.agent,
                clean_line(look.root),
                f"{look.files:,}",
                f"{use.calls:,}",
                local_time(use.oldest, calendar),
                str(use.cost) if use.cost.nano else "-",
                _equivalent(use),
                local_time(look.looked_at, calendar),
            )
        )
    say(table(_HEADERS, rows))
    for look in looks:
        if look.waiting:
            say(f"{look.agent}: still to be read: {look.waiting:,} of {counted(look.files, 'file')}.")
        if look.left_out:
            say(f"{look.agent}, left out: {left_out_words(look.left_out)}")
    say("Calls are counted by agent; what agents have deleted stays here. API-equivalent is no spend: see `~plan`.")


def _equivalent(use: AgentUse) -> str:
    """`$16.13`, `>=$16.13 + 2 unpriced`, `2 unpriced`."""
    if use.unpriced and not use.api_equivalent.nano:
        return cost_words(None, use.unpriced)
    return f"{'>=' * bool(use.lower_bounds)}{cost_words(use.api_equivalent, use.unpriced)}"


def _item(look: RootLook, use: AgentUse) -> dict[str, object]:
    return {
        "agent": look.agent,
        "root": look.root,
        "files": look.files,
        "waiting": look.waiting,
        "bytes": look.size,
        "oldest_file_at": None if look.oldest is None else to_iso(look.oldest),
        "looked_at": to_iso(look.looked_at),
        "left_out": dict(look.left_out),
        "calls": use.calls,
        "lower_bounds": use.lower_bounds,
        "unpriced": use.unpriced,
        "oldest_call_at": None if use.oldest is None else to_iso(use.oldest),
        "newest_call_at": None if use.newest is None else to_iso(use.newest),
        "cost_usd": Usd.float_of(use.cost),
        "cost_nanousd": use.cost.nano,
        "api_equivalent_usd": Usd.float_of(use.api_equivalent),
        "api_equivalent_nanousd": use.api_equivalent.nano,
    }


def _pushed_item(use: PushedUse) -> dict[str, object]:
    return {"agent": use.agent, "host": use.host, "calls": use.calls, "newest_call_at": to_iso(use.newest)}


def _window_item(window: PlanWindow) -> dict[str, object]:
    """What the provider said, when it did."""
    return {
        "agent": window.agent,
        "window": window.name,
        "used_percent": window.used_percent,
        "resets_at": None if window.resets_at is None else to_iso(window.resets_at),
        "said_at": to_iso(window.at),
    }


def _push_item(pushes: PushState) -> dict[str, object] | None:
    """None where this machine pushes nowhere."""
    if not pushes.to:
        return None
    return {
        "to": pushes.to,
        "sent": pushes.sent,
        "waiting": pushes.waiting,
        "bytes": pushes.size,
        "refused": pushes.refused,
        "without_room": pushes.left,
        "sent_at": None if pushes.sent_at is None else to_iso(pushes.sent_at),
        "problem": pushes.problem or None,
    }


def rescan(options: Options) -> int:
    settings = load_readable(options).settings
    with made_store(settings) as store, store.writing() as connection:
        files = agent_files.forget(connection, socket.gethostname())
    before = counted(files, "file")
    say(f"All files are read again by the collector that runs here, or by the next one; read before: {before}.")
    return ExitCode.OK
