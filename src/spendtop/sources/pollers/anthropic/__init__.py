"""What Anthropic tells of its bills, usage and limits."""
