"""Questions about accounts, bills and balances."""
