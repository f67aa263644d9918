"""The commands about coding agents, by their words."""

from __future__ import annotations

from spendtop.cli.command import API_JSON, Command, argument

AGENT_COMMANDS: dict[str, Command] = {
    "agents": Command(
        "agents.agents:show",
        "What was found of coding agents on this machine: folders, files, calls, and what could not be read."
        " `spendtop agents rescan` has all of it read again, `spendtop agents connect claude-code` prints the"
        " settings by which an agent tells more, `spendtop agents push https://spend.example.org` sends it elsewhere.",
        "spendtop agents",
        (API_JSON,),
    ),
    "agents connect": Command(
        "agents.connection",
        "Print the settings by which an agent exports its calls here: its final outputs, users and failures.",
        "spendtop agents connect claude-code",
        (
            argument("name", metavar="NAME", choices=("claude-code", "codex", "gemini-cli"), help="the agent"),
            argument("--write", action="store_true", help="write them into its file, and keep that of before as .bak"),
        ),
    ),
    "agents push": Command(
        "agents.push",
        "Send all calls that coding agents keep on this machine to another collector, once: counts and names, and texts"
        " only with `bodies` under [agents]. What it knows already counts once. The key is push_key under [agents].",
        "spendtop agents push https://spend.example.org",
        (argument("url", nargs="?", metavar="URL", help="its address; without it push_to under [agents]"),),
    ),
    "agents rescan": Command(
        "agents.agents:rescan",
        "Have all files of coding agents read again; no call counts twice.",
        "spendtop agents rescan",
    ),
    "statusline": Command(
        "agents.statusline",
        "Claude Code's status line: takes its JSON on stdin, prints model, session, today and how much of the plan's"
        " windows is used, and keeps that for the screens. In its settings.json:"
        ' "statusLine": {"type": "command", "command": "spendtop statusline"}',
        "spendtop statusline",
    ),
}
