"""The configuration that is in force, and whose it is."""
