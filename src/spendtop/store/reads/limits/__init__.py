"""Questions about the use of limits."""
