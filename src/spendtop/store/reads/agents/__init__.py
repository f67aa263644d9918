"""Questions about what coding agents used under a plan."""
