"""What reports requests, and what is said of how well it does."""
