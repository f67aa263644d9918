"""Questions about alerts, and about what they are made from."""
