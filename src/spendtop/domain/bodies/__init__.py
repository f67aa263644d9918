"""Prompts and answers: read as a chat, masked, sent again."""
