"""Requests on their way out of a store and into it."""
