"""Messages on their way to people: the outbox's loop, rendering, and delivery in a process of its own."""
