"""Limits in force, raised, and tried on what is stored."""
