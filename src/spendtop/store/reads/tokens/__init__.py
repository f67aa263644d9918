"""Questions about tracking tokens."""
