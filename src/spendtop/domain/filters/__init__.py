"""The filter language, and what it shares with everything that is typed to find something."""
