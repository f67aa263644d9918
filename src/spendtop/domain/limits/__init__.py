"""Limits, raises of them, and what becomes of their use."""
