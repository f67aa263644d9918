"""What the older spend monitors recorded: their tables, read by the names of their columns."""
