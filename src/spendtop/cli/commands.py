"""All commands, by their words, in the order in which people read about them."""

from __future__ import annotations

from spendtop.cli.agents.commands import AGENT_COMMANDS
from spendtop.cli.alerts.commands import ALERT_COMMANDS
from spendtop.cli.command import Command
from spendtop.cli.exchange.commands import EXCHANGE_COMMANDS
from spendtop.cli.providers.commands import PROVIDER_COMMANDS
from spendtop.cli.requests.commands import REQUEST_COMMANDS
from spendtop.cli.setup.commands import SETUP_COMMANDS
from spendtop.cli.spending.commands import SPENDING_COMMANDS
from spendtop.cli.start.commands import START_COMMANDS
from spendtop.cli.stores.commands import STORE_COMMANDS

SCREENS = Command(
    "start.view",
    "htop for the LLM bill: live spend, limits and alerts. Without a command it shows the screens, and starts a"
    " collector where none holds the store.",
    "spendtop --port 9000",
)
"""What runs without a command."""

HEADLESS = Command(
    "start.collect", "Collect in the foreground, without a screen.", "spendtop --no-ui --log-format json"
)
"""What runs without a command, but with `--no-ui`."""

COMMANDS: dict[str, Command] = {
    **START_COMMANDS,
    **SETUP_COMMANDS,
    **PROVIDER_COMMANDS,
    **SPENDING_COMMANDS,
    **REQUEST_COMMANDS,
    **EXCHANGE_COMMANDS,
    **AGENT_COMMANDS,
    **ALERT_COMMANDS,
    **STORE_COMMANDS,
}
"""Every command by its one or two words."""
