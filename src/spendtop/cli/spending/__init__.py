"""What was spent, and what there is to spend: totals, limits, balances, tokens."""
