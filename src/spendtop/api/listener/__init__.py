"""The listening socket: its connections, their limits on time, size and number, and requests as they are read."""
