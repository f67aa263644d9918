"""Entries, calibrations and differences of accounts."""
