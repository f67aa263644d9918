"""spendtop: htop for the LLM bill."""

from importlib.metadata import version

__version__ = version("spendtop")
