"""Requests by one dimension or by two."""
