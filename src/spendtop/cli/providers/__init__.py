"""What providers push to a collector and what it asks them for."""
