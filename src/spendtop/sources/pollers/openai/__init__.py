"""What OpenAI tells of its bills, usage and limits."""
