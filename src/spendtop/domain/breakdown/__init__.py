"""Requests divided by what tells them apart, measured, and compared with an earlier span."""
