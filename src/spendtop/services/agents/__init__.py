"""Files of coding agents: how far they are read, what was found, what waits to be pushed."""
