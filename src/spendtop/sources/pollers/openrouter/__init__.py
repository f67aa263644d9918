"""What OpenRouter tells of its charges and limits."""
