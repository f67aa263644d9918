"""What a LiteLLM proxy tells of what it counted, and of the budgets of its keys."""
