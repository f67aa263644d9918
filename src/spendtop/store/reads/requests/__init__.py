"""Questions about single requests, and lists of them."""
