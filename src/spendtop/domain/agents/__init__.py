"""Calls that files of coding agents hold, and what plans count of them."""
