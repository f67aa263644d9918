"""spendtop: htop for the LLM bill."""

__version__: str


def __getattr__(name: str) -> str:
    """`__version__`, looked up when somebody asks for the first time: reading the package's metadata takes longer than
    `status` does."""
    if name == "__version__":
        from importlib.metadata import version

        found = globals()[name] = version("spendtop")
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
