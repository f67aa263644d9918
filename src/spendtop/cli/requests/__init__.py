"""Requests and sessions one by one, their costs anew, and what waits to be understood."""
